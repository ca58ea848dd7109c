"""`build`, `push` and `pull`: what happens, what is refused, and what the user reads."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.worlds.shop import NAME, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Aws, Project
    from tests.faults import Faults


@pytest.fixture
def shop(aws: Aws, project: Project) -> Iterator[Shop]:
    opened = Shop.open(aws, project)
    yield opened
    opened.registry.stop()


def test_a_push_is_told_from_build_to_confirmed_digest(shop: Shop) -> None:
    done = shop.run("push", "--tag", "1.0")

    digest = shop.tags()["1.0"]
    assert done.exit_code == 0
    assert done.stdout == f"{shop.uri}:1.0\n{shop.uri}@{digest}\n"
    where = shop.project.directory
    assert done.stderr.splitlines() == [
        f"push {shop.uri}:1.0",
        f"  1. build {shop.uri}:1.0 for linux/amd64 from {where} (28 B, BuildKit)",
        f"  2. push {shop.uri}:1.0",
        "  Step 1/1 : COPY . /",
        f"build {shop.uri}:1.0 for linux/amd64 from {where} (28 B, BuildKit): 21 B in 0.0 s",
        *(line for line in done.stderr.splitlines() if ": pushed (" in line),
        f"push {shop.uri}:1.0: {digest} confirmed by ECR, 72 B sent in 2 layers, 0 B were there",
    ]


def test_a_push_tells_the_document(shop: Shop) -> None:
    document = json.loads(shop.run("push", "--tag", "1.0", "--json").stdout)

    assert document["reference"] == f"{shop.uri}@{shop.tags()['1.0']}"
    assert document["tag"] == "1.0"
    assert document["pushed"] is True
    assert document["sent_bytes"] == 72
    assert len(document["fingerprint"]) == 64


def test_the_same_again_is_nothing_to_do_and_needs_no_engine(shop: Shop) -> None:
    digest = shop.push("1.0", "1")
    shop.engine.builds.clear()

    done = shop.project.invoke("push", "--tag", "1.0", "--json")

    assert done.exit_code == 0
    assert f"nothing to do: {shop.uri}:1.0 is there" in done.stderr
    document = json.loads(done.stdout)
    assert (document["pushed"], document["digest"]) == (False, digest)
    assert shop.engine.builds == []


def test_other_content_under_a_tag_is_refused_before_it_is_built(shop: Shop) -> None:
    before = shop.push("1.0", "1")
    shop.engine.builds.clear()
    shop.write("app", "2")

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "tag 1.0 is taken" in done.stderr
    assert "other files" in done.stderr
    assert shop.engine.builds == []
    assert shop.tags() == {"1.0": before}


def test_a_mutable_repository_does_not_let_a_tag_move_either(shop: Shop) -> None:
    shop.ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="MUTABLE")
    before = shop.push("1.0", "1")
    shop.write("app", "2")

    assert shop.run("push", "--tag", "1.0").exit_code == 1
    assert shop.tags() == {"1.0": before}


def test_a_tag_that_the_repository_excludes_does_not_move_either(shop: Shop) -> None:
    shop.ecr.put_image_tag_mutability(
        repositoryName=NAME,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "1.*"}],
    )
    before = shop.push("1.0", "1")
    shop.write("app", "2")

    done = shop.run("push", "--tag", "1.0")

    assert (done.exit_code, shop.tags()) == (1, {"1.0": before})
    assert "tags         immutable, but for 1.*" in shop.run("repo", "show").stdout
    assert "another tool can move to other content: 1.*" in shop.run("repo", "create").stderr


def test_a_tag_that_was_pushed_by_hand_is_not_taken_over(shop: Shop) -> None:
    config = b'{"config": {}}'
    from tests.registry import digest_of

    shop.registry.blobs[digest_of(config)] = config
    manifest = json.dumps({"config": {"digest": digest_of(config), "size": 1}, "layers": []})
    shop.registry.put_manifest(NAME, "1.0", manifest.encode(), "application/x")

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "was not pushed by schoolctl" in done.stderr


def test_a_tag_that_cannot_be_compared_is_refused_with_the_reason(shop: Shop) -> None:
    shop.push("1.0", "1")
    shop.registry.password = "of tomorrow"

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "could not be compared" in done.stderr
    assert "403" in done.stderr


def test_only_what_changed_is_sent(shop: Shop) -> None:
    shop.push("1.0", "1")
    shop.write("app", "2")

    document = json.loads(shop.run("push", "--tag", "1.1", "--json").stdout)

    assert document["sent_bytes"] == 64


def test_a_missing_repository_names_both_cures(aws: Aws, project: Project) -> None:
    shop = Shop.open(aws, project, repository=False)

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert f"repository {NAME} does not exist in us-east-1" in done.stderr
    assert "schoolctl repo create" in done.stderr
    assert "--create-repo" in done.stderr
    assert shop.engine.builds == []
    shop.registry.stop()


def test_create_repo_makes_the_repository_first(aws: Aws, project: Project) -> None:
    shop = Shop.open(aws, project, repository=False)

    assert shop.run("push", "--tag", "1.0", "--create-repo").exit_code == 0

    made = shop.ecr.describe_repositories()["repositories"][0]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert set(shop.tags()) == {"1.0"}
    shop.registry.stop()


def test_a_dry_run_builds_and_pushes_nothing(shop: Shop) -> None:
    done = shop.run("push", "--tag", "1.0", "--dry-run", "--json")

    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["plan"]) == 2
    assert shop.engine.builds == []
    assert shop.tags() == {}


def test_latest_is_refused_before_aws_is_asked(faults: Faults, shop: Shop) -> None:
    done = shop.run("push", "--tag", "latest")

    assert done.exit_code == 2
    assert "the tag `latest` is refused" in done.stderr
    assert faults.calls == []


def test_secrets_in_the_context_are_refused_and_listed(shop: Shop) -> None:
    shop.write(".dockerignore", "# everything goes\n")
    shop.write(".env", "PASSWORD=hunter2\n")

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert ".env: an environment file with values in it" in done.stderr
    assert "hunter2" not in done.output
    assert shop.engine.builds == []


def lock_files(shop: Shop, wanted: str) -> None:
    """Put a project of npm into the context; locked is 1.0.0."""
    shop.write("Dockerfile", "FROM scratch\nCOPY . /app\nRUN npm ci\n")
    shop.write(".dockerignore", "*\n!app\n!package*.json\n")
    shop.write("package.json", json.dumps({"dependencies": {"ms": wanted}}))
    packages = {"node_modules/ms": {"version": "1.0.0"}}
    shop.write("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": packages}))


def test_a_lock_file_out_of_step_is_refused_before_anything_is_built(shop: Shop) -> None:
    lock_files(shop, ">=2")

    for command in ("push", "build"):
        done = shop.run(command, "--tag", "1.0")

        assert done.exit_code == 1
        assert "ms: package.json wants >=2, package-lock.json has 1.0.0" in done.stderr
        assert "`npm install --package-lock-only`" in done.stderr
        assert shop.engine.builds == []


def test_a_lock_file_out_of_step_can_be_allowed(shop: Shop) -> None:
    lock_files(shop, ">=2")

    done = shop.run("push", "--tag", "1.0", "--allow-stale-lock")

    assert done.exit_code == 0
    assert "warning: package-lock.json is out of step with package.json" in done.stderr


def test_what_is_pushed_already_needs_no_look_at_its_lock_files(shop: Shop) -> None:
    lock_files(shop, ">=2")
    shop.run("push", "--tag", "1.0", "--allow-stale-lock")

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 0
    assert "nothing to do" in done.stderr


# Build secrets


def test_secrets_reach_the_builder_by_name_and_place_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "hunter2")
    file = shop.write("npm token", "hunter3")

    done = shop.run(
        *("push", "--tag", "1.0", "-vv", "--secret", "id=npm,src=npm token"),
        *("--secret", "id=pip,env=CANARY"),
    )

    assert done.exit_code == 0, done.stderr
    (request,) = shop.engine.builds
    assert [each.option for each in request.secrets] == [f"id=npm,src={file}", "id=pip,env=CANARY"]
    assert "secrets: npm, pip" in done.stderr
    assert "hunter" not in done.output


def test_secrets_are_refused_to_the_classic_builder(shop: Shop) -> None:
    shop.write("token", "hunter2")

    done = shop.run("push", "--tag", "1.0", "--builder", "classic", "--secret", "id=npm,src=token")

    assert done.exit_code == 2
    assert "--secret needs BuildKit" in done.stderr
    assert shop.engine.builds == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("npm", "names no secret"),
        ("src=token", "names no secret"),
        ("id=npm", "cannot be read"),
        ("id=npm,src=a,env=B", "cannot be read"),
        ("id=npm,value=hunter2", "cannot be read"),
        ("id=npm,src=nowhere", "there is no file"),
        ("id=npm,env=NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_a_secret_that_cannot_be_is_a_usage_error(shop: Shop, given: str, said: str) -> None:
    done = shop.run("build", "--tag", "1.0", "--secret", given)

    assert done.exit_code == 2
    assert said in done.stderr


def test_a_build_argument_that_looks_like_a_secret_is_a_warning(shop: Shop) -> None:
    config = shop.project.directory / "schoolctl.yaml"
    config.write_text(
        config.read_text().replace(
            "image: {",
            "image: {build_args: {NPM_TOKEN: hunter2, INDEX: 'https://u:p@x', B: a}, ",
        )
    )

    done = shop.run("build", "--tag", "1.0")

    warned = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert [line.split(" ")[3] for line in warned] == ["INDEX", "NPM_TOKEN"]
    assert "hunter2" not in done.output


# What would be sent


def test_the_context_can_be_listed(shop: Shop) -> None:
    shop.write("app", "x" * 2000)

    done = shop.run("build", "--list-context", "--json")
    lines = shop.run("build", "--list-context").stdout.splitlines()

    document = json.loads(done.stdout)
    assert [each["path"] for each in document["files"]] == ["app", "Dockerfile"]
    assert document["size_bytes"] == sum(each["size_bytes"] for each in document["files"])
    assert [line.split() for line in lines[:2]] == [["SIZE", "PATH"], ["2.0", "kB", "app"]]
    assert shop.engine.builds == []


def test_a_listed_context_tells_what_must_not_be_in_it(shop: Shop) -> None:
    shop.write(".dockerignore", "# everything goes\n")
    shop.write(".env", "PASSWORD=hunter2\n")

    done = shop.run("build", "--list-context", "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["findings"] == [
        {"path": ".env", "reason": "an environment file with values in it"}
    ]


def test_a_project_without_git_wants_a_tag(shop: Shop) -> None:
    done = shop.run("push")

    assert done.exit_code == 2
    assert "--tag" in done.stderr


def commit(directory: Path) -> str:
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "add", "."],
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "-qm", "one"],
    ):
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=directory, check=True, capture_output=True, text=True
    )
    return told.stdout.strip()


def test_without_a_tag_the_commit_is_the_tag(shop: Shop) -> None:
    head = commit(shop.project.directory)

    assert shop.run("push").exit_code == 0

    assert set(shop.tags()) == {head[:12]}
    labels = shop.engine.builds[0].labels
    assert labels["org.opencontainers.image.revision"] == head


def test_a_dirty_tree_is_told_in_tag_and_label(shop: Shop) -> None:
    head = commit(shop.project.directory)
    shop.write("app", "changed")

    done = shop.run("push")

    assert done.exit_code == 0
    (tag,) = shop.tags()
    fingerprint = shop.engine.builds[0].labels["schoolctl.fingerprint"]
    assert tag == f"{head[:12]}-dirty-{fingerprint[:8]}"
    assert "not all of it is committed: app" in done.stderr


def test_a_dirty_tree_is_refused_where_the_environment_wants_a_clean_one(shop: Shop) -> None:
    file = shop.project.directory / "schoolctl.yaml"
    file.write_text(file.read_text().replace("dev: {", "dev: {git: {clean: true}, "))
    commit(shop.project.directory)
    shop.write("app", "changed")

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "environment dev wants a build of what is committed" in done.stderr
    assert shop.engine.builds == []


def test_a_failed_build_is_told_with_its_reason_and_pushes_nothing(shop: Shop) -> None:
    shop.engine.fails_to_build = "the --mount option requires BuildKit"

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "the --mount option requires BuildKit" in done.stderr
    assert "--builder buildkit" in done.stderr
    assert shop.tags() == {}


def test_a_build_for_another_platform_is_never_pushed(shop: Shop) -> None:
    shop.engine.base_platform = "linux/arm64"

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "linux/arm64" in done.stderr
    assert shop.tags() == {}


def test_a_push_that_ecr_does_not_confirm_failed(shop: Shop) -> None:
    shop.registry.on_manifest = None  # the registry takes it, and ECR knows nothing of it

    done = shop.run("push", "--tag", "1.0", "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert "cannot be confirmed" in document["error"]["what"]
    assert [each.split(" ")[0] for each in document["error"]["done"]] == ["build"]


def test_a_push_in_another_account_is_refused_before_anything_is_built(shop: Shop) -> None:
    done = shop.run("push", "--tag", "1.0", "-e", "other")

    assert done.exit_code == 5
    assert shop.engine.builds == []


def test_a_push_writes_nothing_to_the_home_directory(shop: Shop, tmp_path: Path) -> None:
    shop.push("1.0", "1")

    assert list((tmp_path / "home").rglob("*")) == []


def test_the_token_is_never_shown(shop: Shop) -> None:
    done = shop.run("push", "--tag", "1.0", "-vv", "--json")

    assert shop.registry.password not in done.output


# build


def test_a_build_gets_the_name_that_a_push_gives_it(shop: Shop) -> None:
    done = shop.run("build", "--tag", "1.0")

    assert (done.exit_code, done.stdout) == (0, f"{shop.uri}:1.0\n")
    again = shop.run("push", "--tag", "1.0")
    assert again.exit_code == 0
    assert len(shop.engine.builds) == 1


def test_a_build_with_a_pinned_account_asks_aws_nothing(faults: Faults, shop: Shop) -> None:
    assert shop.run("build", "--tag", "1.0").exit_code == 0
    assert faults.calls == []


def test_a_build_of_the_same_again_is_nothing_to_do(shop: Shop) -> None:
    shop.run("build", "--tag", "1.0")

    done = shop.run("build", "--tag", "1.0", "--json")

    assert json.loads(done.stdout)["built"] is False
    assert len(shop.engine.builds) == 1


# pull


def test_a_pull_gives_the_image_that_ecr_has(shop: Shop) -> None:
    digest = shop.push("1.0", "1")

    done = shop.run("pull", "--tag", "1.0")
    by_digest = shop.run("pull", "--digest", digest)

    assert (done.exit_code, done.stdout) == (0, f"{shop.uri}:1.0\n")
    assert (by_digest.exit_code, by_digest.stdout) == (0, f"{shop.uri}@{digest}\n")


def test_a_pull_of_what_is_not_there_says_so(shop: Shop) -> None:
    done = shop.run("pull", "--tag", "9.9")

    assert done.exit_code == 1
    assert "image 9.9 is not in repository schoolapp-backend" in done.stderr
    assert "schoolctl images list" in done.stderr


@pytest.mark.parametrize("args", [(), ("--tag", "1.0", "--digest", "sha256:" + "0" * 64)])
def test_a_pull_wants_a_tag_or_a_digest(shop: Shop, args: tuple[str, ...]) -> None:
    assert shop.run("pull", *args).exit_code == 2


def test_a_pull_of_something_else_than_ecr_has_is_an_error(shop: Shop) -> None:
    shop.push("1.0", "1")
    shop.push("2.0", "2")
    shop.registry.tags[NAME, "1.0"] = shop.registry.tags[NAME, "2.0"]

    done = shop.run("pull", "--tag", "1.0")

    assert done.exit_code == 1
    assert "another image was pulled" in done.stderr


# 403


def refusing(shop: Shop, said: str = "Forbidden") -> None:
    shop.registry.refuses = ("POST", 403, "DENIED", said)


def test_a_registry_of_another_account_is_refused_before_anything_is_built(shop: Shop) -> None:
    file = shop.project.directory / "schoolctl.yaml"
    elsewhere = "210987654321.dkr.ecr.us-east-1.amazonaws.com"
    file.write_text(file.read_text().replace(shop.registry.host, elsewhere))

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 5
    assert f"a push to {elsewhere} would be answered with 403" in done.stderr
    assert shop.engine.builds == []


def test_a_bare_403_ends_in_the_action_that_is_missing(faults: Faults, shop: Shop) -> None:
    refusing(shop)
    said = "User: u is not authorized to perform: ecr:InitiateLayerUpload on resource: r"
    faults.answer("InitiateLayerUpload", "AccessDeniedException", said)

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "AWS denied ecr:InitiateLayerUpload" in done.stderr
    assert "hint:  ask for a policy that allows ecr:InitiateLayerUpload" in done.stderr


def test_a_bare_403_ends_in_the_policy_of_the_repository(faults: Faults, shop: Shop) -> None:
    refusing(shop)
    faults.answer_with("InitiateLayerUpload", b"{}", status=200)
    policy = {"Statement": [{"Sid": "NoPush", "Effect": "Deny", "Action": "ecr:*"}]}
    answer = json.dumps({"repositoryName": NAME, "policyText": json.dumps(policy)})
    faults.answer_with("GetRepositoryPolicy", answer.encode(), status=200)

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "the repository's policy denies it (statement NoPush, for ecr:*)" in done.stderr


def test_a_bare_403_ends_in_the_registry_that_the_login_is_not_for(shop: Shop) -> None:
    refusing(shop)

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "denied: Forbidden" in done.stderr
    assert f"leads to {shop.registry.host}" in done.stderr


def test_a_registry_that_names_the_action_is_taken_at_its_word(faults: Faults, shop: Shop) -> None:
    refusing(shop, "User: u is not authorized to perform: ecr:PutImage on resource: r")

    done = shop.run("push", "--tag", "1.0")

    assert "hint:  ask for a policy that allows ecr:PutImage" in done.stderr
    assert "InitiateLayerUpload" not in faults.calls


def test_a_token_that_expires_half_way_is_told(shop: Shop) -> None:
    shop.registry.expires_after = 3

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "the token expired on the way" in done.stderr
    assert shop.tags() == {}


def test_a_bare_403_of_a_pull_ends_in_the_action_that_is_missing(
    faults: Faults, shop: Shop
) -> None:
    shop.push("1.0", "1")
    shop.registry.refuses = ("GET", 403, "DENIED", "Forbidden")
    said = "User: u is not authorized to perform: ecr:GetDownloadUrlForLayer on resource: r"
    faults.answer("GetDownloadUrlForLayer", "AccessDeniedException", said)

    done = shop.run("pull", "--tag", "1.0")

    assert done.exit_code == 1
    assert "AWS denied ecr:GetDownloadUrlForLayer" in done.stderr
    assert "hint:  ask for a policy that allows ecr:GetDownloadUrlForLayer" in done.stderr


def test_a_repository_that_goes_away_meanwhile_is_told(shop: Shop) -> None:
    shop.registry.repositories = set()

    done = shop.run("push", "--tag", "1.0")

    assert done.exit_code == 1
    assert "repo create" in done.stderr


def test_a_registry_that_is_away_is_told(shop: Shop) -> None:
    shop.registry.stop()

    done = shop.run("push", "--tag", "1.0")
    shop.registry.start()

    assert done.exit_code == 1
    assert "cannot reach the registry" in done.stderr
    assert shop.tags() == {}
