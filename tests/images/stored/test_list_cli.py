"""`images list`: sorting, filters, and what is read for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.images.stored.test_images_cli import put, serve
from tests.worlds.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws


@pytest.fixture
def shop(aws: Aws, project: Project) -> Iterator[Shop]:
    opened = Shop.open(aws, project)
    yield opened
    opened.registry.stop()


def tags(shop: Shop, *options: str) -> list[str]:
    done = shop.run("images", "list", "--no-details", "--json", *options)
    assert done.exit_code == 0, done.stderr
    return [",".join(each["tags"]) for each in json.loads(done.stdout)["images"]]


def test_a_list_is_sorted_filtered_and_cut(shop: Shop) -> None:
    for number, tag in enumerate(["1.10", "1.9", "", "beta"], 1):
        put(shop, tag, number)
    serve(shop, f"{shop.uri}:1.9")

    assert tags(shop, "--sort", "tag") == ["1.9", "1.10", "beta", ""]
    assert tags(shop, "--tag", "1.*", "--tag", "b*", "--sort", "tag", "--limit", "2") == [
        "1.9",
        "1.10",
    ]
    assert tags(shop, "--untagged") == [""]
    assert tags(shop, "--unused", "--tag", "*", "--sort", "tag") == ["1.10", "beta"]


def test_where_nothing_is_like_that_the_list_says_so(shop: Shop) -> None:
    put(shop, "1.0", 1)
    done = shop.run("images", "list", "--tag", "2.*")
    assert done.exit_code == 0
    assert "has 1 image, and none is like that" in done.stderr


def test_without_the_uses_ecs_is_not_asked(faults: Faults, shop: Shop) -> None:
    put(shop, "1.0", 1)
    lines = shop.run("images", "list", "--no-use", "--no-details").stdout.splitlines()
    assert lines[0].split() == ["DIGEST", "TAGS", "SIZE", "PUSHED", "PULLED"]
    assert not {"ListClusters", "ListTaskDefinitionFamilies"} & set(faults.calls)


def test_unused_without_the_uses_is_a_usage_error(shop: Shop) -> None:
    assert shop.run("images", "list", "--unused", "--no-use").exit_code == 2


def test_unused_where_the_uses_may_not_be_read_is_an_error(faults: Faults, shop: Shop) -> None:
    put(shop, "1.0", 1)
    faults.deny("ListClusters", "ecs:ListClusters")
    done = shop.run("images", "list", "--unused")
    assert done.exit_code == 1
    assert "ecs:ListClusters" in done.stderr


def test_a_few_images_are_looked_into_for_architecture_and_commit(shop: Shop) -> None:
    shop.push("1.0", "1")
    lines = shop.run("images", "list").stdout.splitlines()
    assert lines[0].split()[5:7] == ["ARCH", "COMMIT"]
    (found,) = json.loads(shop.run("images", "list", "--json").stdout)["images"]
    assert found["architectures"] == ["amd64"]


def test_what_cannot_be_looked_into_is_a_warning_and_a_question_mark(shop: Shop) -> None:
    put(shop, "1.0", 1)
    done = shop.run("images", "list", "--details")
    assert done.exit_code == 0
    assert "warning: could not read what is inside an image" in done.stderr
    assert done.stdout.splitlines()[1].split()[-3:] == ["?", "?", "-"]


def test_many_images_are_not_looked_into_unless_asked(faults: Faults, shop: Shop) -> None:
    for number in range(21):
        put(shop, f"1.{number}", number)
    assert "ARCH" not in shop.run("images", "list").stdout
    assert "BatchGetImage" not in faults.calls
    assert "ARCH" in shop.run("images", "list", "--limit", "20").stdout


def test_an_archived_image_is_marked(scripted: ScriptedAws, project: Project) -> None:
    repository = {
        "repositoryName": "schoolapp-backend",
        "repositoryArn": "arn",
        "repositoryUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/schoolapp-backend",
    }
    detail = {
        "imageDigest": "sha256:" + "1" * 64,
        "imageTags": ["1.0"],
        "imagePushedAt": 1_700_000_000,
        "lastRecordedPullTime": 1_700_000_100,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "imageSizeInBytes": 5_000_000,
        "imageStatus": "ARCHIVED",
    }
    scripted.answer("DescribeRepositories", {"repositories": [repository]})
    scripted.answer("DescribeImages", {"imageDetails": [detail]})

    lines = project.invoke("images", "list", "--no-use").stdout.splitlines()

    assert "1.0 (archived)  5.0 MB" in lines[1]
