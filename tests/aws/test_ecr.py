"""ECR on moto's server: repositories, images, pages, indexes, failures."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from schoolctl.aws.ecr import (
    authorization,
    create_repository,
    find_image,
    find_manifest,
    find_repository,
    need_repository,
)
from schoolctl.aws.ecr_images import delete_images, list_images
from schoolctl.aws.session.clients import Clients
from schoolctl.aws.session.connection import Connection, Setting
from schoolctl.base.errors import NotFoundError, UnavailableError
from schoolctl.config.file import load_config_file
from schoolctl.model.images import Digest, Repository, RepositoryUri
from tests.registry import digest_of
from tests.scripted_aws import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schoolctl.config.models import Config
    from tests.conftest import Aws, Project
    from tests.faults import Faults
    from tests.scripted_aws import ScriptedAws

NAME = "schoolapp-backend"
IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NOBODY = Digest("sha256:" + "0" * 64)


@pytest.fixture
def config(project: Project) -> Config:
    return load_config_file(None, cwd=project.directory).resolve("dev").config


def clients_of(endpoint_url: str) -> Clients:
    return Clients(
        Connection(
            Setting(None, "test"), Setting("us-east-1", "test"), Setting(endpoint_url, "test")
        )
    )


@pytest.fixture
def clients(aws: Aws) -> Iterator[Clients]:
    made = clients_of(aws.endpoint_url)
    yield made
    made.close()


@pytest.fixture
def written(scripted: ScriptedAws) -> Iterator[Clients]:
    """Clients of an AWS that says what the test writes."""
    made = clients_of(scripted.endpoint_url)
    yield made
    made.close()


@pytest.fixture
def repository(aws: Aws, clients: Clients, config: Config) -> Repository:
    aws.client("ecr").create_repository(repositoryName=NAME)
    return need_repository(clients, config)


def put(aws: Aws, tag: str, content: dict[str, Any], media_type: str = IMAGE) -> Digest:
    manifest = json.dumps(content)
    digest = digest_of(manifest.encode())
    aws.client("ecr").put_image(
        repositoryName=NAME,
        imageTag=tag,
        imageManifest=manifest,
        imageManifestMediaType=media_type,
        imageDigest=digest,
    )
    return Digest(digest)


def image(number: int = 0) -> dict[str, Any]:
    return {"config": {"digest": f"sha256:{number:064x}", "size": 7}, "layers": []}


def test_a_missing_repository_is_none(clients: Clients, config: Config) -> None:
    assert find_repository(clients, config) is None


def test_a_needed_repository_that_is_missing_names_the_cure(
    clients: Clients, config: Config
) -> None:
    with pytest.raises(NotFoundError, match="us-east-1") as raised:
        need_repository(clients, config)
    assert "repo create" in raised.value.hint


def test_a_created_repository_is_immutable_scanned_and_encrypted(
    clients: Clients, config: Config
) -> None:
    made = create_repository(clients, config, NAME, {"team": "school"})
    assert (made.immutable_tags, made.scan_on_push, made.encryption) == (True, True, "AES256")
    assert made.created_at is not None
    assert find_repository(clients, config) == made


def test_creating_a_repository_that_is_there_gives_it_back(
    clients: Clients, config: Config, repository: Repository
) -> None:
    assert create_repository(clients, config, NAME, {}) == repository


def test_a_lost_reply_to_the_creation_is_no_failure(faults: Faults, config: Config) -> None:
    faults.lose_reply("CreateRepository")
    clients = clients_of(faults.endpoint_url)
    assert create_repository(clients, config, NAME, {}).name == NAME
    assert faults.calls.count("CreateRepository") == 2
    clients.close()


def test_a_registry_of_the_environment_takes_the_place_of_ecrs(
    aws: Aws, clients: Clients, config: Config
) -> None:
    aws.client("ecr").create_repository(repositoryName=NAME)
    local = config.model_copy(update={"registry": "127.0.0.1:4566"})
    found = need_repository(clients, local)
    assert str(found.uri) == f"127.0.0.1:4566/{NAME}"
    assert authorization(clients, local).registry == "127.0.0.1:4566"


def test_the_login_names_ecrs_registry_and_expiry(clients: Clients) -> None:
    login = authorization(clients)
    assert login.registry == "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert (login.username, login.password.reveal()) == ("AWS", "123456789012-auth-token")
    assert login.expires_at.tzinfo is not None


def test_an_image_is_found_by_tag_and_by_digest(
    aws: Aws, clients: Clients, repository: Repository
) -> None:
    digest = put(aws, "1.0", image())
    for found in (
        find_image(clients, repository, tag="1.0"),
        find_image(clients, repository, digest=digest),
    ):
        assert found is not None
        assert (found.digest, found.tags) == (digest, ("1.0",))


def test_an_image_that_is_not_there_is_none(clients: Clients, repository: Repository) -> None:
    assert find_image(clients, repository, tag="9") is None
    assert find_image(clients, repository, digest=NOBODY) is None


def test_a_manifest_names_config_and_sizes(
    aws: Aws, clients: Clients, repository: Repository
) -> None:
    layers = [{"digest": f"sha256:{size:064x}", "size": size} for size in (5, 6)]
    digest = put(aws, "1.0", {**image(10), "layers": layers})
    found = find_manifest(clients, repository.name, tag="1.0")
    assert found is not None
    assert found.digest == digest
    assert found.config == Digest(f"sha256:{10:064x}")
    assert found.layer_sizes == (5, 6)
    assert found.children == ()


def test_a_manifest_that_is_not_there_is_none(clients: Clients, repository: Repository) -> None:
    assert find_manifest(clients, repository.name, tag="9") is None
    assert find_manifest(clients, "no-such-repository", tag="9") is None


def test_an_index_knows_its_children(aws: Aws, clients: Clients, repository: Repository) -> None:
    child = put(aws, "amd64", image())
    manifests = [{"digest": str(child), "platform": {"architecture": "amd64", "os": "linux"}}]
    index = put(aws, "1.0", {"manifests": manifests}, INDEX)
    by_digest = {each.digest: each for each in list_images(clients, NAME)}
    assert by_digest[index].children == (child,)
    assert by_digest[child].children == ()
    manifest = find_manifest(clients, repository.name, tag="1.0")
    assert manifest is not None
    assert manifest.image_for("amd64") == child
    assert manifest.image_for("arm64") is None


HERE = Repository(NAME, RepositoryUri("r.test", NAME), "arn", True, True, "AES256", None)


def test_every_page_of_images_is_read_archived_ones_too(
    scripted: ScriptedAws, written: Clients
) -> None:
    def page(number: int, following: str | None) -> dict[str, Any]:
        detail = {
            "imageDigest": f"sha256:{number:064x}",
            "imagePushedAt": 1_700_000_000 + number,
            "imageManifestMediaType": IMAGE,
            "imageSizeInBytes": 1,
        }
        return {"imageDetails": [detail], **({"nextToken": following} if following else {})}

    scripted.answer("DescribeImages", page(1, "a"), page(2, "b"), page(3, None))
    found = list_images(written, NAME)
    assert [int(each.digest.value[7:], 16) for each in found] == [3, 2, 1]  # newest first
    asked = scripted.requests("DescribeImages")
    assert [each.get("nextToken") for each in asked] == [None, "a", "b"]
    assert all(each["filter"] == {"imageStatus": "ANY"} for each in asked)


def test_the_token_of_a_page_is_told_from_text_that_looks_like_one(
    scripted: ScriptedAws, written: Clients
) -> None:
    strange, pretended = 'a"b\\c\u00e9', ('"nextToken": "none of it"', "nextToken")
    details = [
        {
            "imageDigest": f"sha256:{number:064x}",
            "imagePushedAt": 1_700_000_000,
            "imageManifestMediaType": IMAGE,
            "imageTags": pretended,
        }
        for number in (1, 2)
    ]
    throttled = Refusal("ThrottlingException", '"nextToken": "nor of this"')
    scripted.answer(
        "DescribeImages",
        throttled,
        {"imageDetails": details[:1], "nextToken": strange},
        throttled,
        {"imageDetails": details[1:]},
    )
    assert len(list_images(written, NAME)) == 2
    asked = [each.get("nextToken") for each in scripted.requests("DescribeImages")]
    assert asked == [None, None, strange, strange]


@pytest.mark.parametrize(
    "page", [b"<html>Sign in to the hotel's network</html>", b'{"message": "sign in"}', b""]
)
def test_a_page_of_somebody_else_is_not_an_empty_repository(faults: Faults, page: bytes) -> None:
    faults.answer_with("DescribeImages", page, status=200)
    with (
        closing(clients_of(faults.endpoint_url)) as clients,
        pytest.raises(UnavailableError) as told,
    ):
        list_images(clients, NAME)
    assert told.value.why == "what answered was not AWS"


@pytest.mark.parametrize("artifact", [{}, {"artifactMediaType": "application/vnd.example"}])
def test_what_an_image_lacks_may_be_null(
    scripted: ScriptedAws, written: Clients, artifact: dict[str, str]
) -> None:
    detail = {
        "imageDigest": f"sha256:{1:064x}",
        "imagePushedAt": 1_700_000_000,
        "imageManifestMediaType": IMAGE,
    }
    nulls = ("imageTags", "imageSizeInBytes", "lastRecordedPullTime", "imageStatus")
    others = ("artifactMediaType", "subjectManifestDigest")
    scripted.answer(
        "DescribeImages",
        {"imageDetails": [{**detail, **dict.fromkeys((*nulls, *others)), **artifact}]},
        {"imageDetails": [{**detail, **artifact}]},
    )
    scripted.answer("BatchGetImage", {"images": [], "failures": []})
    assert list_images(written, NAME) == list_images(written, NAME)
    # Of what may be about another image, the manifest is read.
    assert len(scripted.requests("BatchGetImage")) == (2 if artifact else 0)


def test_indexes_are_read_a_hundred_at_a_time(scripted: ScriptedAws, written: Clients) -> None:
    details = [
        {
            "imageDigest": f"sha256:{number:064x}",
            "imagePushedAt": 1_700_000_000,
            "imageManifestMediaType": INDEX,
        }
        for number in range(101)
    ]
    scripted.answer("DescribeImages", {"imageDetails": details})
    scripted.answer("BatchGetImage", {"images": [], "failures": []})
    assert len(list_images(written, NAME)) == 101
    sizes = [len(each["imageIds"]) for each in scripted.requests("BatchGetImage")]
    assert sorted(sizes) == [1, 100]


def test_an_index_that_cannot_be_read_is_an_error(scripted: ScriptedAws, written: Clients) -> None:
    detail = {
        "imageDigest": str(NOBODY),
        "imagePushedAt": 1_700_000_000,
        "imageManifestMediaType": INDEX,
    }
    scripted.answer("DescribeImages", {"imageDetails": [detail]})
    failure = {"imageId": {"imageDigest": str(NOBODY)}, "failureCode": "KmsError"}
    scripted.answer("BatchGetImage", {"images": [], "failures": [failure]})
    with pytest.raises(NotFoundError, match="could not read 1") as raised:
        list_images(written, NAME)
    assert "KmsError" in raised.value.why


def test_an_index_in_the_archive_is_not_read(scripted: ScriptedAws, written: Clients) -> None:
    detail = {
        "imageDigest": str(NOBODY),
        "imagePushedAt": 1_700_000_000,
        "imageManifestMediaType": INDEX,
        "imageStatus": "ARCHIVED",
    }
    scripted.answer("DescribeImages", {"imageDetails": [detail]})
    failure = {"imageId": {"imageDigest": str(NOBODY)}, "failureCode": "ImageInaccessible"}
    scripted.answer("BatchGetImage", {"images": [], "failures": [failure]})
    (found,) = list_images(written, NAME)
    assert found.archived
    assert found.children == ()


def detail_of(digest: Digest, **told: Any) -> dict[str, Any]:
    return {
        "imageDigest": str(digest),
        "imagePushedAt": 1_700_000_000,
        "imageManifestMediaType": IMAGE,
        **told,
    }


def test_ecr_names_what_a_signature_is_about(scripted: ScriptedAws, written: Clients) -> None:
    signature = detail_of(
        NOBODY, artifactMediaType="application/x-sig", subjectManifestDigest=f"sha256:{'1' * 64}"
    )
    scripted.answer("DescribeImages", {"imageDetails": [signature]})
    (found,) = list_images(written, NAME)
    assert found.subject == Digest("sha256:" + "1" * 64)
    assert scripted.requests("BatchGetImage") == []


def test_where_ecr_does_not_name_the_subject_of_an_artifact_its_manifest_does(
    scripted: ScriptedAws, written: Clients
) -> None:
    subject = {"subject": {"digest": f"sha256:{'1' * 64}"}}
    scripted.answer(
        "DescribeImages", {"imageDetails": [detail_of(NOBODY, artifactMediaType="application/x")]}
    )
    manifest = {"imageId": {"imageDigest": str(NOBODY)}, "imageManifest": json.dumps(subject)}
    scripted.answer("BatchGetImage", {"images": [manifest], "failures": []})
    (found,) = list_images(written, NAME)
    assert found.subject == Digest("sha256:" + "1" * 64)


def test_the_images_of_a_missing_repository_are_an_error_with_the_cure(clients: Clients) -> None:
    with pytest.raises(NotFoundError, match="does not exist in us-east-1") as raised:
        list_images(clients, "none")
    assert "repo create" in raised.value.hint


def test_deleting_by_digest_removes_every_tag(
    aws: Aws, clients: Clients, repository: Repository
) -> None:
    del repository
    digest = put(aws, "1.0", image())
    put(aws, "1.1", image())
    assert delete_images(clients, NAME, [digest]) == {}
    assert list_images(clients, NAME) == []


def test_an_image_that_is_gone_already_counts_as_deleted(
    clients: Clients, repository: Repository
) -> None:
    del repository
    assert delete_images(clients, NAME, [NOBODY]) == {}


def test_what_ecr_refuses_to_delete_is_told(scripted: ScriptedAws, written: Clients) -> None:
    other = Digest("sha256:" + "1" * 64)
    failure = {
        "imageId": {"imageDigest": str(NOBODY)},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "Requested image referenced by manifest list: [sha256:2]",
    }
    gone = [{"imageDigest": str(other)}]
    scripted.answer("BatchDeleteImage", {"imageIds": gone, "failures": [failure]})
    (refused,) = delete_images(written, NAME, [NOBODY, other]).items()
    assert refused[0] == NOBODY
    assert "ImageReferencedByManifestList" in refused[1]
