"""`images list`, `images show`, `images prune`: what is told, what goes, what stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ACCOUNT
from tests.scripted_aws import Refusal
from tests.worlds.shop import NAME, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws, Project, Result
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws

RULES = ("--keep", "1", "--older-than", "0d")


@pytest.fixture
def shop(aws: Aws, project: Project) -> Iterator[Shop]:
    opened = Shop.open(aws, project)
    yield opened
    opened.registry.stop()


def put(shop: Shop, tag: str, number: int, **extra: Any) -> str:
    """Put an image into ECR, without an engine; gives its digest."""
    manifest = json.dumps({"config": {"digest": f"sha256:{number:064x}", "size": number}, **extra})
    return shop.registry.put_manifest(
        NAME, tag, manifest.encode(), "application/vnd.oci.image.manifest.v1+json"
    )


def serve(shop: Shop, image: str, family: str = "web") -> None:
    """Run a service of the image, in a cluster that no configuration names."""
    ecs = shop.aws.client("ecs")
    ecs.create_cluster(clusterName="elsewhere")
    ecs.register_task_definition(
        family=family, containerDefinitions=[{"name": "web", "image": image, "memory": 512}]
    )
    ecs.create_service(
        cluster="elsewhere", serviceName=family, taskDefinition=family, desiredCount=0
    )


def verdicts(done: Result) -> dict[str, bool]:
    return {
        tag: each["keep"]
        for each in json.loads(done.stdout)["verdicts"]
        for tag in each["tags"] or [each["digest"]]
    }


# list


def test_a_list_has_each_image_and_what_uses_it(shop: Shop) -> None:
    first, second = put(shop, "1.0", 1), put(shop, "1.1", 2)
    serve(shop, f"{shop.uri}@{first}")

    document = json.loads(shop.run("images", "list", "--json").stdout)

    assert document["repository"] == shop.uri
    found = {each["digest"]: each for each in document["images"]}
    assert found[first]["in_use_by"] == ["service elsewhere/web", "web:1"]
    assert found[second]["in_use_by"] == []
    assert found[first]["tags"] == ["1.0"]


def test_a_list_reads_well(shop: Shop) -> None:
    digest = put(shop, "1.0", 1)
    serve(shop, f"{shop.uri}:1.0")

    lines = shop.run("images", "list", "--no-details").stdout.splitlines()

    assert lines[0].split() == ["DIGEST", "TAGS", "SIZE", "PUSHED", "PULLED", "IN", "USE", "BY"]
    assert lines[1].startswith(digest[7:19])
    assert lines[1].rstrip().endswith("service elsewhere/web, web:1")


def test_an_empty_repository_says_so(shop: Shop) -> None:
    done = shop.run("images", "list")

    assert done.exit_code == 0
    assert "has no images" in done.stderr


def test_a_list_folds_the_parts_of_an_index(shop: Shop) -> None:
    child = put(shop, "", 1)
    index = json.dumps({"manifests": [{"digest": child, "platform": {"architecture": "amd64"}}]})
    shop.registry.put_manifest(
        NAME, "1.0", index.encode(), "application/vnd.oci.image.index.v1+json"
    )

    assert len(shop.run("images", "list").stdout.splitlines()) == 2
    document = json.loads(shop.run("images", "list", "--json").stdout)
    assert [each["children"] for each in document["images"]] == [[child]]


def test_a_list_without_the_right_to_read_ecs_says_what_it_does_not_know(
    faults: Faults, shop: Shop
) -> None:
    put(shop, "1.0", 1)
    faults.deny("ListClusters", "ecs:ListClusters")

    done = shop.run("images", "list")

    assert done.exit_code == 0
    assert "warning: what uses the images is not known" in done.stderr
    assert "ecs:ListClusters" in done.stderr
    assert done.stdout.splitlines()[1].rstrip().endswith("?")


def test_a_missing_repository_is_an_error(aws: Aws, project: Project) -> None:
    shop = Shop.open(aws, project, repository=False)
    done = shop.run("images", "list")
    assert done.exit_code == 1
    assert "schoolctl repo create" in done.stderr
    shop.registry.stop()


# show


def test_show_tells_labels_and_uses(shop: Shop) -> None:
    digest = shop.push("1.0", "1")
    serve(shop, f"{shop.uri}@{digest}")

    for which in ("1.0", digest, digest[7:15]):
        document = json.loads(shop.run("images", "show", which, "--json").stdout)
        assert document["digest"] == digest
        assert document["labels"]["org.opencontainers.image.version"] == "1.0"
        assert document["in_use_by"] == ["service elsewhere/web", "web:1"]


def test_show_of_what_is_not_there_is_an_error(shop: Shop) -> None:
    done = shop.run("images", "show", "9.9")
    assert done.exit_code == 1
    assert "image 9.9 is not in repository" in done.stderr


def test_show_without_the_labels_still_shows_the_rest(shop: Shop) -> None:
    digest = shop.push("1.0", "1")
    shop.registry.password = "of tomorrow"

    done = shop.run("images", "show", "1.0")

    assert done.exit_code == 0
    assert digest in done.stdout
    assert "warning: could not read what is inside an image" in done.stderr


# prune


def test_prune_deletes_what_nothing_needs(shop: Shop) -> None:
    put(shop, "1.0", 1)
    kept = put(shop, "1.1", 2)
    serve(shop, f"{shop.uri}@{kept}")

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 0
    # Pushed in the same second or not: 1.1 has the greater digest.
    assert set(shop.tags()) == {"1.1"}
    assert done.stdout.splitlines()[0].split() == ["VERDICT", "DIGEST", "TAGS", "WHY"]


def test_prune_keeps_what_a_service_of_another_cluster_runs(shop: Shop) -> None:
    for number in range(1, 5):
        put(shop, f"1.{number}", number)
    serve(shop, f"{shop.uri}:1.1", "one")
    serve(shop, f"{shop.uri}@{shop.tags()['1.3']}", "three")

    done = shop.run("images", "prune", *RULES, "--yes", "--json")

    found = verdicts(done)
    assert found["1.1"]
    assert found["1.3"]
    assert {tag for tag, keep in found.items() if keep} == set(shop.tags())
    assert json.loads(done.stdout)["deleted"] == 4 - len(shop.tags())
    assert json.loads(done.stdout)["failures"] == []


def test_prune_again_deletes_nothing_more(shop: Shop) -> None:
    for number in range(1, 5):
        put(shop, f"1.{number}", number)
    shop.run("images", "prune", *RULES, "--yes")
    left = shop.tags()

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 0
    assert "nothing to do: 1 image, and a reason to keep each" in done.stderr
    assert shop.tags() == left


def test_prune_keeps_to_the_rules_of_the_configuration(shop: Shop) -> None:
    file = shop.project.directory / "schoolctl.yaml"
    file.write_text(file.read_text() + 'images: {keep: 1, keep_days: 0, protect: ["release-*"]}\n')
    for number, tag in enumerate(["release-1", "a", "b", "c"], 1):
        put(shop, tag, number)

    found = verdicts(shop.run("images", "prune", "--protect", "b", "--dry-run", "--json"))

    assert found["release-1"]
    assert found["b"]
    assert 1 <= sum(not keep for keep in found.values()) <= 2


def test_prune_without_a_terminal_deletes_nothing(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)

    done = shop.run("images", "prune", *RULES)

    assert done.exit_code == 1
    assert "nothing was changed" in done.stderr
    assert "--yes" in done.stderr
    assert len(shop.tags()) == 2


def test_a_dry_run_of_prune_deletes_nothing(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)

    done = shop.run("images", "prune", *RULES, "--dry-run")

    assert done.exit_code == 0
    assert len(shop.tags()) == 2


@pytest.mark.parametrize(
    "call", ["ListClusters", "ListTaskDefinitionFamilies", "ListTaskDefinitions", "DescribeImages"]
)
def test_prune_deletes_nothing_where_a_look_up_fails(faults: Faults, shop: Shop, call: str) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    serve(shop, f"{shop.uri}:1.0")
    faults.deny(call, f"x:{call}")

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 1
    assert f"x:{call}" in done.stderr
    assert "BatchDeleteImage" not in faults.calls
    assert len(shop.tags()) == 2


def test_an_image_that_comes_into_use_after_the_plan_is_not_deleted(
    faults: Faults, shop: Shop
) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    faults.pass_on("ListClusters")  # while the plan is made
    faults.before("ListClusters", lambda: serve(shop, f"{shop.uri}:1.0"))

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 1
    assert "has come into use since the plan was made" in done.stderr
    assert "service elsewhere/web is at web:1" in done.stderr
    assert len(shop.tags()) == 2


def test_prune_in_another_account_is_refused(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)

    done = shop.run("images", "prune", *RULES, "--yes", "-e", "other")

    assert done.exit_code == 5
    assert len(shop.tags()) == 2


def test_prune_in_a_protected_environment_wants_the_services_name(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)

    refused = shop.run("images", "prune", *RULES, "--yes", "-e", "prod")
    assert refused.exit_code == 1
    assert len(shop.tags()) == 2

    agreed = shop.run("images", "prune", *RULES, "-e", "prod", "--confirm", "schoolapp-backend")
    assert agreed.exit_code == 0
    assert len(shop.tags()) == 1


def test_an_error_of_ecr_while_deleting_ends_the_prune(faults: Faults, shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    faults.answer("BatchDeleteImage", "InvalidParameterException", "ECR is unwell")

    done = shop.run("images", "prune", *RULES, "--yes", "--json")

    assert done.exit_code == 1
    assert "ECR is unwell" in json.loads(done.stdout)["error"]["why"]


def test_an_image_that_ecr_refuses_to_delete_is_told_and_the_others_go(
    scripted: ScriptedAws, project: Project
) -> None:
    digests = [f"sha256:{number:064x}" for number in range(3)]
    repository = {
        "repositoryName": NAME,
        "repositoryArn": "arn",
        "repositoryUri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{NAME}",
    }
    details = [
        {
            "imageDigest": digest,
            "imagePushedAt": 1_700_000_000 - number,
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
            "imageSizeInBytes": 1000,
        }
        for number, digest in enumerate(digests)
    ]
    scripted.answer("DescribeRepositories", {"repositories": [repository]})
    scripted.answer("DescribeImages", {"imageDetails": details})
    scripted.answer("ListClusters", {"clusterArns": []})
    scripted.answer("ListTaskDefinitionFamilies", {"families": []})
    failure = {
        "imageId": {"imageDigest": digests[2]},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "Requested image referenced by manifest list: [sha256:1]",
    }
    gone = [{"imageDigest": digests[1]}]
    scripted.answer("BatchDeleteImage", {"imageIds": gone, "failures": [failure]})
    scripted.answer("PutParameter", {"Version": 1})
    scripted.answer("GetParameter", Refusal("ParameterNotFound"))

    done = project.invoke("images", "prune", *RULES, "--yes", "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["deleted"] == 1
    assert document["error"]["what"] == "1 image of 2 could not be deleted"
    assert "ImageReferencedByManifestList" in document["error"]["why"]
    asked = scripted.requests("BatchDeleteImage")
    assert [each["imageIds"] for each in asked] == [[{"imageDigest": each} for each in digests[1:]]]


def test_prune_looks_into_an_environment_that_pulls_from_this_registry(shop: Shop) -> None:
    file = shop.project.directory / "schoolctl.yaml"
    host = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
    text = file.read_text().replace(f'registry: "{shop.registry.host}", ', "")
    file.write_text(
        f'{text}  far: {{region: eu-west-1, account: "{ACCOUNT}", registry: "{host}"}}\n'
    )
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    import boto3

    ecs = boto3.client(
        "ecs",
        endpoint_url=shop.aws.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    for tag in ("1.0", "1.1"):
        ecs.register_task_definition(
            family=f"far-{tag[-1]}",
            containerDefinitions=[{"name": "web", "image": f"{host}/{NAME}:{tag}", "memory": 512}],
        )

    done = shop.run("images", "prune", *RULES, "--yes", "--json")

    assert done.exit_code == 0
    assert all(verdicts(done).values())
    assert len(shop.tags()) == 2


def credentials(shop: Shop, *lines: str) -> None:
    """Give the command keys of profile `default` alone, and environments more."""
    aws = shop.project.directory.parent / "home" / ".aws"
    aws.mkdir()
    keys = "aws_access_key_id = testing\naws_secret_access_key = testing\n"
    (aws / "credentials").write_text(f"[default]\n{keys}")
    file = shop.project.directory / "schoolctl.yaml"
    file.write_text("\n".join([file.read_text().rstrip(), *lines, ""]))


@pytest.mark.parametrize(
    "environment",
    [
        '{region: us-east-1, account: "123456789012", profile: gone, registry: "HOST"}',
        '{region: eu-west-1, account: "999999999999", profile: gone, registry: "HOST"}',
    ],
    ids=["here", "elsewhere"],
)
def test_prune_deletes_nothing_where_another_environment_cannot_be_looked_into(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    credentials(shop, f"  far: {environment.replace('HOST', shop.registry.host)}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 6
    assert "error: environment far shares the repository, and cannot be looked into" in done.stderr
    assert "there is no AWS profile gone" in done.stderr
    assert len(shop.tags()) == 2


def test_the_same_name_in_another_account_or_region_is_another_repository(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    credentials(
        shop,
        '  far: {region: eu-west-1, account: "123456789012", profile: gone}',
        '  foreign: {region: us-east-1, account: "999999999999", profile: gone}',
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 0, done.stderr
    assert len(shop.tags()) == 1


def share_with_prod(shop: Shop) -> None:
    """Let environment `prod` run the images of `dev`'s repository."""
    file = shop.project.directory / "schoolctl.yaml"
    registry = f'registry: "{shop.registry.host}", '
    file.write_text(file.read_text().replace("prod: {", f"prod: {{{registry}"))


def test_prune_takes_the_lock_of_every_environment_that_shares_the_repository(
    faults: Faults, shop: Shop
) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    share_with_prod(shop)

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 0, done.stderr
    bodies = zip(faults.calls, faults.bodies, strict=True)
    taken = [json.loads(body)["Name"] for call, body in bodies if call == "PutParameter"]
    assert taken == ["/schoolctl/schoolapp/dev/lock", "/schoolctl/schoolapp/prod/lock"]


def test_while_another_environment_deploys_nothing_is_deleted(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    share_with_prod(shop)
    holder = {"id": "1", "host": "elsewhere", "who": "ann", "command": "schoolctl deploy"}
    shop.aws.client("ssm").put_parameter(
        Name="/schoolctl/schoolapp/prod/lock", Value=json.dumps(holder), Type="String"
    )

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 4
    assert "ann holds the deploy lock" in done.stderr
    assert len(shop.tags()) == 2


def register(shop: Shop, number: int, tag: str) -> None:
    for _ in range(number):
        shop.aws.client("ecs").register_task_definition(
            family="web",
            containerDefinitions=[{"name": "web", "image": f"{shop.uri}:{tag}", "memory": 512}],
        )


def test_old_revisions_of_a_deleted_image_are_named_and_go_when_asked(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "9.9", 2)
    register(shop, 2, "1.0")
    register(shop, 10, "gone")
    ecs = shop.aws.client("ecs")

    named = shop.run("images", "prune", *RULES, "--protect", "9.9", "--yes")
    assert "ACTIVE revisions without their image: web:2, web:1" in named.stderr
    assert len(ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"]) == 12

    asked = shop.run("images", "prune", *RULES, "--deregister", "--yes", "--json")
    assert asked.exit_code == 0, asked.stderr
    assert json.loads(asked.stdout)["deregistered"] == ["web:2", "web:1"]
    assert len(ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"]) == 10


def test_the_second_look_reads_only_the_revisions_that_may_have_changed(
    faults: Faults, shop: Shop
) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)
    register(shop, 30, "gone")

    done = shop.run("images", "prune", *RULES, "--yes")

    assert done.exit_code == 0, done.stderr
    # All thirty, and for the second look the ten newest.
    assert faults.calls.count("DescribeTaskDefinition") == 40


def test_many_images_are_told_in_a_summary_and_each_with_verbose(shop: Shop) -> None:
    for number in range(120):
        put(shop, f"1.{number}", number)

    short = shop.run("images", "prune", *RULES, "--dry-run").stdout.splitlines()
    whole = shop.run("images", "prune", *RULES, "--dry-run", "--verbose").stdout.splitlines()

    assert [line.split()[:2] for line in short] == [
        ["VERDICT", "IMAGES"],
        ["KEEP", "1"],
        ["DELETE", "119"],
    ]
    assert len(whole) == 121


def test_an_age_that_is_none_is_a_usage_error(shop: Shop) -> None:
    done = shop.run("images", "prune", "--older-than", "30")
    assert done.exit_code == 2
    assert "write 30d, 12h or 2w" in done.stderr


def test_only_what_is_older_is_deleted(shop: Shop) -> None:
    put(shop, "1.0", 1)
    put(shop, "1.1", 2)

    done = shop.run("images", "prune", "--keep", "1", "--older-than", "12h", "--yes")

    assert done.exit_code == 0
    assert "is younger than 12 h" in done.stdout
    assert len(shop.tags()) == 2


def test_what_belongs_to_an_image_that_stays_stays_too(
    scripted: ScriptedAws, project: Project
) -> None:
    newest, index, child, alone = (f"sha256:{number:064x}" for number in range(4))
    kinds = {index: "application/vnd.oci.image.index.v1+json"}
    image = "application/vnd.oci.image.manifest.v1+json"
    details = [
        {
            "imageDigest": digest,
            "imagePushedAt": 1_700_000_000 - number,
            "imageManifestMediaType": kinds.get(digest, image),
        }
        for number, digest in enumerate([newest, index, child, alone])
    ]
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"
    uri = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{NAME}"
    repository = {"repositoryName": NAME, "repositoryArn": arn, "repositoryUri": uri}
    scripted.answer("DescribeRepositories", {"repositories": [repository]})
    scripted.answer("DescribeImages", {"imageDetails": details})
    manifest = json.dumps({"manifests": [{"digest": child}]})
    read = {"imageId": {"imageDigest": index}, "imageManifest": manifest}
    scripted.answer("BatchGetImage", {"images": [read], "failures": []})
    scripted.answer("ListClusters", {"clusterArns": []})
    scripted.answer("ListTaskDefinitionFamilies", {"families": []})
    failure = {"imageId": {"imageDigest": index}, "failureCode": "KmsError", "failureReason": "no"}
    scripted.answer("BatchDeleteImage", {"imageIds": [], "failures": [failure]})
    scripted.answer("PutParameter", {"Version": 1})
    scripted.answer("GetParameter", Refusal("ParameterNotFound"))

    done = project.invoke("images", "prune", *RULES, "--yes", "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["deleted"] == 1
    assert document["failures"] == [
        f"{index}: ECR answered KmsError: no",
        f"{child}: it belongs to {index[7:19]}, which could not be deleted",
    ]
    (asked,) = scripted.requests("BatchDeleteImage")
    assert [each["imageDigest"] for each in asked["imageIds"]] == [index, alone]


def test_a_failure_in_the_middle_tells_how_many_are_gone(faults: Faults, shop: Shop) -> None:
    child = put(shop, "", 1)
    manifest = json.dumps({"manifests": [{"digest": child}]})
    index = shop.registry.put_manifest(
        NAME, "1.0", manifest.encode(), "application/vnd.oci.image.index.v1+json"
    )
    # Of those pushed in one second the greatest digest is the newest.
    next(n for n in range(2, 99) if put(shop, f"keep-{n}", n) > index)
    rules = (*RULES, "--protect", "keep-*")
    faults.pass_on("BatchDeleteImage")
    faults.answer("BatchDeleteImage", "InvalidParameterException", "ECR is unwell")

    done = shop.run("images", "prune", *rules, "--yes")

    assert done.exit_code == 1
    assert "ECR is unwell" in done.stderr
    assert "1 of 2 images deleted" in done.stderr


def test_hundreds_go_in_calls_of_a_hundred_and_each_failure_is_told(
    scripted: ScriptedAws, project: Project
) -> None:
    digests = [f"sha256:{number:064x}" for number in range(251)]
    details = [
        {
            "imageDigest": digest,
            "imagePushedAt": 1_700_000_000 - number,
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
            "imageSizeInBytes": 1000,
        }
        for number, digest in enumerate(digests)
    ]
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{NAME}"
    uri = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{NAME}"
    repository = {"repositoryName": NAME, "repositoryArn": arn, "repositoryUri": uri}
    scripted.answer("DescribeRepositories", {"repositories": [repository]})
    scripted.answer("DescribeImages", {"imageDetails": details})
    scripted.answer("ListClusters", {"clusterArns": []})
    scripted.answer("ListTaskDefinitionFamilies", {"families": []})
    scripted.answer("PutParameter", {"Version": 1})
    scripted.answer("GetParameter", Refusal("ParameterNotFound"))

    def refuse_one(request: dict[str, Any]) -> dict[str, Any]:
        last = request["imageIds"][-1]
        return {"failures": [{"imageId": last, "failureCode": "KmsError", "failureReason": "no"}]}

    scripted.answer("BatchDeleteImage", refuse_one)

    done = project.invoke("images", "prune", *RULES, "--yes", "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    asked = [each["imageIds"] for each in scripted.requests("BatchDeleteImage")]
    assert sorted(map(len, asked)) == [50, 100, 100]
    named = [each["imageDigest"] for batch in asked for each in batch]
    assert sorted(named) == digests[1:]
    assert (document["deleted"], document["size_bytes"]) == (247, 247_000)
    assert len(document["failures"]) == 3
