"""`push --from`: an image goes from one environment's registry to another's as it is."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ACCOUNT
from tests.faults import Call, pass_on
from tests.registry import Registry, digest_of
from tests.worlds.shop import NAME, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws, Project
    from tests.faults import Exchange, Faults

THERE = "schoolapp-live"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def shop(aws: Aws, project: Project) -> Iterator[Shop]:
    """Set up: environment dev has the image, and live a repository and a registry of its own."""
    opened = Shop.open(aws, project)
    yield opened
    opened.registry.stop()


@pytest.fixture
def live(shop: Shop) -> Iterator[Registry]:
    registry = Registry(password=f"{ACCOUNT}-auth-token")
    registry.start()
    registry.on_manifest = shop.tell_ecr
    add_environment(shop, registry.host)
    shop.ecr.create_repository(repositoryName=THERE, imageTagMutability="IMMUTABLE")
    yield registry
    registry.stop()


def add_environment(shop: Shop, host: str, more: str = "") -> None:
    file = shop.project.directory / "schoolctl.yaml"
    file.write_text(
        f"{file.read_text()}  live: {{region: us-east-1, registry: '{host}',"
        f" image: {{repository: {THERE}}}{more}}}\n"
    )


def promote(shop: Shop, *more: str) -> Any:
    return shop.project.invoke("-e", "live", "push", "--from", "dev", "--tag", "1.0", *more)


def tags(shop: Shop) -> dict[str, str]:
    details = shop.ecr.describe_images(repositoryName=THERE)["imageDetails"]
    return {tag: each["imageDigest"] for each in details for tag in each.get("imageTags", [])}


def put_index(shop: Shop) -> str:
    """Put an index of two images of one layer each, and a part with a layer kept elsewhere."""
    images = []
    for architecture in ("amd64", "arm64"):
        config = json.dumps({"os": "linux", "architecture": architecture}).encode()
        layer = architecture.encode()
        shop.registry.blobs |= {digest_of(each): each for each in (config, layer)}
        manifest = json.dumps(
            {
                "mediaType": MANIFEST_TYPE,
                "config": {"digest": digest_of(config), "size": len(config)},
                "layers": [
                    {"digest": digest_of(layer), "size": len(layer)},
                    {"digest": digest_of(b"?"), "size": 9, "mediaType": "x.foreign.diff.tar"},
                ],
            }
        ).encode()
        digest = shop.registry.put_manifest(NAME, digest_of(manifest), manifest, MANIFEST_TYPE)
        platform = {"os": "linux", "architecture": architecture}
        images.append({"digest": digest, "size": len(manifest), "platform": platform})
    index = json.dumps({"mediaType": INDEX_TYPE, "manifests": images}).encode()
    return shop.registry.put_manifest(NAME, "1.0", index, INDEX_TYPE)


def test_an_image_is_copied_as_it_is_without_an_engine(shop: Shop, live: Registry) -> None:
    digest = shop.push("1.0", "1")

    done = promote(shop, "--json")

    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["reference"] == f"{live.host}/{THERE}@{digest}"
    assert document["source"] == f"{shop.uri}@{digest}"
    assert (document["pushed"], document["from"]) == (True, "dev")
    assert tags(shop) == {"1.0": digest}
    assert live.manifest(THERE, "1.0") == shop.registry.manifest(NAME, "1.0")
    assert live.blobs == shop.registry.blobs
    assert document["sent_bytes"] == sum(map(len, live.blobs.values()))


def test_the_same_again_is_nothing_to_do(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    promote(shop)
    live.requests.clear()

    done = promote(shop)

    assert done.exit_code == 0
    assert "nothing to do" in done.stderr
    assert [each for each in live.requests if each.startswith("P")] == []


def test_only_what_is_missing_is_sent(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    base = digest_of(b"the base")
    live.blobs[base] = b"the base"

    done = promote(shop)

    assert f"{base[7:19]}: layer already exists" in done.stderr
    assert "8 B were there" in done.stderr


def test_an_index_goes_with_all_its_images(shop: Shop, live: Registry) -> None:
    digest = put_index(shop)

    assert promote(shop).exit_code == 0

    assert tags(shop) == {"1.0": digest}
    assert len([name for name, _ in live.manifests if name == THERE]) == 3
    assert live.blobs == shop.registry.blobs


def test_within_one_registry_layers_are_mounted(shop: Shop) -> None:
    digest = shop.push("1.0", "1")
    add_environment(shop, shop.registry.host)
    shop.ecr.create_repository(repositoryName=THERE)
    shop.registry.holders = {each: {NAME} for each in shop.registry.blobs}

    done = promote(shop, "--json")

    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["sent_bytes"] == 0
    assert tags(shop) == {"1.0": digest}
    assert not any(each.startswith("PATCH") for each in shop.registry.requests)


def test_a_registry_that_cannot_mount_gets_the_layers(shop: Shop) -> None:
    digest = shop.push("1.0", "1")
    add_environment(shop, shop.registry.host)
    shop.ecr.create_repository(repositoryName=THERE)
    shop.registry.holders = {each: {NAME} for each in shop.registry.blobs}
    shop.registry.mounts = False

    done = promote(shop, "--json")

    assert json.loads(done.stdout)["sent_bytes"] > 0
    assert tags(shop) == {"1.0": digest}


def test_other_content_under_the_tag_is_refused(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    live.put_manifest(THERE, "1.0", b'{"layers": []}', MANIFEST_TYPE)
    before = tags(shop)

    done = promote(shop)

    assert done.exit_code == 1
    assert "tag 1.0 is taken: schoolapp-live has another image under it" in done.stderr
    assert tags(shop) == before
    assert live.blobs == {}


def test_an_image_that_is_not_there_is_told_with_its_environment(
    shop: Shop, live: Registry
) -> None:
    del live
    done = promote(shop)

    assert done.exit_code == 1
    assert "image 1.0 is not in repository schoolapp-backend of environment dev" in done.stderr
    assert "schoolctl images list --env dev" in done.stderr


def test_a_missing_repository_is_made_where_it_is_asked_for(shop: Shop, live: Registry) -> None:
    del live
    digest = shop.push("1.0", "1")
    shop.ecr.delete_repository(repositoryName=THERE)

    assert promote(shop).exit_code == 1
    assert promote(shop, "--create-repo").exit_code == 0
    assert tags(shop) == {"1.0": digest}


def test_an_image_for_another_platform_is_refused(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    file = shop.project.directory / "schoolctl.yaml"
    file.write_text(file.read_text().replace(f"{{repository: {THERE}", f"{{platform: linux/arm64,"
                                             f" repository: {THERE}"))  # fmt: skip

    done = promote(shop)

    assert done.exit_code == 1
    assert "is for linux/amd64, and the tasks of environment live run on linux/arm64" in done.stderr
    assert live.tags == {}


def test_another_account_than_the_pinned_one_is_refused(shop: Shop, live: Registry) -> None:
    del live
    done = shop.project.invoke("-e", "live", "push", "--from", "other", "--tag", "1.0")

    assert done.exit_code == 5
    assert "environment other is account 999999999999" in done.stderr


def test_an_environment_cannot_be_copied_to_itself(shop: Shop) -> None:
    done = shop.project.invoke("push", "--from", "dev", "--tag", "1.0")

    assert done.exit_code == 2


@pytest.mark.parametrize("option", [("--secret", "id=a,env=B"), ("--allow-stale-lock",)])
def test_options_of_a_build_are_refused(
    shop: Shop, live: Registry, option: tuple[str, ...]
) -> None:
    del live
    done = promote(shop, *option)

    assert done.exit_code == 2
    assert "--from builds nothing" in done.stderr


@pytest.mark.parametrize("tag", ["latest", "a b"])
def test_the_rules_for_tags_stay(shop: Shop, live: Registry, tag: str) -> None:
    del live
    assert promote(shop, "--tag", tag).exit_code == 2


def git(shop: Shop, *args: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.test", *args],
        cwd=shop.project.directory, check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wants", "branch", "dirty", "said"),
    [
        ("clean: true", "main", True, "wants an image of what is committed"),
        ("branch: main", "feature", False, "wants an image of branch main"),
        ("branch: main, clean: true", "main", False, ""),
    ],
)
def test_what_the_environment_wants_of_git_holds_for_the_image(
    shop: Shop,
    wants: str,
    branch: str,
    dirty: bool,  # noqa: FBT001  # a table's column
    said: str,
) -> None:
    add_environment(shop, shop.registry.host, f", git: {{{wants}}}")
    shop.ecr.create_repository(repositoryName=THERE)
    git(shop, "init", "-q", "-b", "main")
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "one")
    git(shop, "switch", "-q", "-C", branch)
    git(shop, "commit", "-q", "--allow-empty", "-m", "two")
    if branch != "main":
        git(shop, "branch", "-f", "main", "HEAD~")
    shop.push("1.0", "changed" if dirty else "1")

    done = promote(shop)

    assert done.exit_code == (1 if said else 0), done.stderr
    assert said in done.stderr


# What goes wrong


def test_a_login_that_the_target_refuses_is_told_with_its_cure(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    live.password = "of tomorrow"

    done = promote(shop)

    assert done.exit_code == 1
    assert "Your authorization token has expired" in done.stderr
    assert live.tags == {}


def test_a_bare_403_of_the_target_ends_in_the_action_that_is_missing(
    faults: Faults, shop: Shop, live: Registry
) -> None:
    shop.push("1.0", "1")
    live.refuses = ("POST", 403, "DENIED", "Forbidden")
    said = "User: u is not authorized to perform: ecr:InitiateLayerUpload on resource: r"
    faults.answer("InitiateLayerUpload", "AccessDeniedException", said)

    done = promote(shop)

    assert done.exit_code == 1
    assert "AWS denied ecr:InitiateLayerUpload" in done.stderr
    assert "hint:  ask for a policy that allows ecr:InitiateLayerUpload" in done.stderr


def test_a_bare_403_of_the_source_ends_in_what_a_download_needs(
    faults: Faults, shop: Shop, live: Registry
) -> None:
    shop.push("1.0", "1")

    def refuse_reads(exchange: Exchange) -> None:
        shop.registry.refuses = ("GET", 403, "DENIED", "Forbidden")
        pass_on(exchange)

    faults.at(Call("GetAuthorizationToken", 2), refuse_reads)  # the first is for the plan
    said = "User: u is not authorized to perform: ecr:GetDownloadUrlForLayer on resource: r"
    faults.answer("GetDownloadUrlForLayer", "AccessDeniedException", said)

    done = promote(shop)

    assert done.exit_code == 1
    assert "AWS denied ecr:GetDownloadUrlForLayer" in done.stderr
    assert live.tags == {}


def test_a_token_that_expires_in_the_middle_leaves_no_tag(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    live.expires_after = 4

    assert promote(shop).exit_code == 1
    assert live.tags == {}

    live.expires_after = None
    assert promote(shop).exit_code == 0
    assert set(tags(shop)) == {"1.0"}


def test_a_registry_that_is_away_is_told(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    live.stop()

    done = promote(shop)
    live.start()

    assert done.exit_code == 1
    assert "cannot reach the registry" in done.stderr


def test_a_layer_that_is_cut_off_is_sent_again(shop: Shop, live: Registry) -> None:
    digest = shop.push("1.0", "1")
    shop.registry.cuts = 2

    assert promote(shop).exit_code == 0
    assert tags(shop) == {"1.0": digest}
    assert shop.registry.cuts == 0
    assert live.blobs == shop.registry.blobs


def test_a_layer_that_always_arrives_damaged_is_an_error(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    layer = digest_of(b"the base")
    shop.registry.blobs[layer] = b"damaged!"

    done = promote(shop)

    assert done.exit_code == 1
    assert "arrived damaged" in done.stderr
    assert layer not in live.blobs
    assert live.tags == {}


def test_a_copy_that_ecr_does_not_confirm_failed(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")
    live.on_manifest = None

    done = promote(shop)

    assert done.exit_code == 1
    assert "cannot be confirmed" in done.stderr


def test_the_token_is_never_shown(shop: Shop, live: Registry) -> None:
    shop.push("1.0", "1")

    assert live.password not in promote(shop, "-vv", "--json").output
