"""What a builder would get, what must not be in it, and what it is known by."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schoolctl.base.errors import ConfigError, SchoolctlError
from schoolctl.docker.context import BuildContext, read_context
from schoolctl.docker.guard import LARGEST_CONTEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLATFORM = "linux/amd64"
# Put together here, so that this file is no finding itself.
KEY = f"-----BEGIN {'RSA '}PRIVATE KEY-----\n{'MIIEpAIBAAKCAQEA' * 4}\n"
AWS_KEY = "Ab1/" * 10


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (directory / ".dockerignore").write_text("# all of it\n")
    return directory


def read(root: Path, **extra: object) -> BuildContext:
    allow = extra.get("allow", ())
    return read_context(root, root / "Dockerfile", allow=allow)  # type: ignore[arg-type]  # a tuple


def fingerprint(root: Path, platform: str = PLATFORM, **build_args: str) -> str:
    return read(root).fingerprint(build_args=build_args, platform=platform)


def put(root: Path, path: str, content: str = "x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def findings(root: Path, **extra: object) -> list[str]:
    return [each.path for each in read(root, **extra).findings]


def names_in_tar(context: BuildContext) -> list[str]:
    target = io.BytesIO()
    context.write_tar(target)
    target.seek(0)
    with tarfile.open(fileobj=target) as tar:
        return tar.getnames()


# What is sent


def test_only_what_is_not_left_out_is_sent(root: Path) -> None:
    (root / ".dockerignore").write_text("*\n!app\napp/cache\n")
    put(root, "app/main.py")
    put(root, "app/cache/big")
    put(root, "notes.txt")
    assert [each.path for each in read(root).entries] == ["Dockerfile", "app", "app/main.py"]


def test_the_tar_holds_just_the_entries(root: Path) -> None:
    (root / ".dockerignore").write_text("secret\n")
    put(root, "app/main.py")
    put(root, "secret")
    (root / "app/link").symlink_to("main.py")
    context = read(root)
    assert names_in_tar(context) == [each.path for each in context.entries]
    assert names_in_tar(context) == ["Dockerfile", "app", "app/link", "app/main.py"]


def test_a_dockerfile_elsewhere_is_sent_along(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = put(tmp_path_factory.mktemp("elsewhere"), "Dockerfile", "FROM scratch\n")
    context = read_context(root, elsewhere)
    assert context.dockerfile_name in names_in_tar(context)


def test_a_dockerfile_has_its_own_ignore_file(root: Path) -> None:
    put(root, "Dockerfile.dockerignore", "a\n")
    put(root, ".dockerignore", "b\n")
    put(root, "a")
    put(root, "b")
    paths = [each.path for each in read(root).entries]
    assert "b" in paths
    assert "a" not in paths


def test_a_context_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no directory"):
        read_context(tmp_path / "none", tmp_path / "Dockerfile")
    with pytest.raises(ConfigError, match="Dockerfile"):
        read_context(tmp_path, tmp_path / "Dockerfile")


def test_names_that_are_no_utf_8_are_sent_as_they_are(root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9")).write_text("x")
    assert len(names_in_tar(read(root))) == 2
    assert fingerprint(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("lonG"),
        lambda file: file.write_text("longer"),
        lambda file: file.write_text("s"),
        lambda file: file.unlink(),
    ],
    ids=["other content", "longer", "shorter", "gone"],
)
def test_a_file_that_changes_after_it_was_judged_is_not_sent(
    root: Path, change: Callable[[Path], object]
) -> None:
    file = put(root, "app/main.py", "long")
    context = read(root)
    change(file)
    with pytest.raises(SchoolctlError, match=r"main\.py changed") as raised:
        context.write_tar(io.BytesIO())
    assert raised.value.why


def test_the_largest_things_are_told(root: Path) -> None:
    put(root, "data/a", "x" * 50)
    put(root, "data/b/c", "x" * 60)
    put(root, "top", "x" * 70)
    assert read(root).largest(2) == [("data/", 110), ("top", 70)]


# The fingerprint


def test_the_same_content_elsewhere_has_the_same_fingerprint(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put(root, "app/main.py", "print()")
    other = tmp_path_factory.mktemp("other")
    for name in ("Dockerfile", ".dockerignore", "app/main.py"):
        os.utime(put(other, name, (root / name).read_text()), (0, 0))
    assert fingerprint(other) == fingerprint(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: put(root, "app/main.py", "print(1)"),
        lambda root: put(root, "app/new.py"),
        lambda root: (root / "app/main.py").unlink(),
        lambda root: (root / "app/main.py").chmod(0o755),
        lambda root: (root / "app/main.py").rename(root / "app/other.py"),
        lambda root: put(root, "Dockerfile", "FROM scratch\n"),
        lambda root: (root / "app/empty").mkdir(),
        lambda root: (root / "app/link").symlink_to("main.py"),
        lambda root: put(root, ".dockerignore", "app\n"),
    ],
    ids=[
        *("content", "new file", "file gone", "mode", "name", "Dockerfile", "empty folder", "link"),
        "left out",
    ],
)
def test_a_change_changes_the_fingerprint(root: Path, change: Callable[[Path], object]) -> None:
    put(root, "app/main.py", "print()")
    before = fingerprint(root)
    change(root)
    assert fingerprint(root) != before


def test_arguments_and_platform_change_the_fingerprint(root: Path) -> None:
    known = {
        fingerprint(root),
        fingerprint(root, platform="linux/arm64"),
        fingerprint(root, BASE_IMAGE="a"),
        fingerprint(root, BASE_IMAGE="b"),
    }
    assert len(known) == 4


def test_what_is_left_out_does_not_change_the_fingerprint(root: Path) -> None:
    put(root, ".dockerignore", "notes\n")
    before = fingerprint(root)
    put(root, "notes", "anything")
    assert fingerprint(root) == before


def test_the_umask_of_a_checkout_does_not_change_the_fingerprint(root: Path) -> None:
    file = put(root, "main.py")
    file.chmod(0o644)
    before = fingerprint(root)
    file.chmod(0o664)
    assert fingerprint(root) == before


# What must not be sent


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("key.txt", KEY),
        ("deep/down/id_rsa", KEY.replace("RSA ", "OPENSSH ")),
        ("gcp.json", '{"private_key": "' + KEY.replace("\n", "\\n") + '"}'),
        (
            "encrypted.pem",
            KEY.replace(
                "RSA PRIVATE KEY-----",
                "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n",
            ),
        ),
        (".env", "DB_PASSWORD=hunter2\n"),
        (".env.production", "export TOKEN=abc\n"),
        ("config/prod.env", "A=1\n"),
        (".npmrc", "//registry.npmjs.org/:_authToken=npm_abc\n"),
        (".pypirc", "[pypi]\npassword = abc\n"),
        (".netrc", "machine x login y password z\n"),
        (".git-credentials", "https://u:p@h\n"),
        ("store.p12", "x"),
        ("terraform.tfstate", "{}"),
        (".docker/config.json", '{"auths": {"r": {"auth": "QVdTOng="}}}'),
        ("aws/credentials", "[default]\naws_secret_access_key = abc\n"),
        ("kubeconfig", "users:\n- user:\n    token: abc\n"),
        ("application_default_credentials.json", '{"refresh_token": "1//abc"}'),
        ("auth.json", '{"http-basic": {"repo.example.test": {"password": "x"}}}'),
        ("keys.txt", "# created\nAGE-SECRET-KEY-1" + "Q" * 58),
        (".vault-token", "s.abc"),
        ("env.txt", f"AWS_SECRET_ACCESS_KEY={AWS_KEY}\n"),
        ("service/settings.py", f'client("s3", aws_secret_access_key="{AWS_KEY}")\n'),
        ("environ.py", f'os.environ["AWS_SECRET_ACCESS_KEY"] = "{AWS_KEY}"'),
        ("aws.json", f'{{"aws_secret_access_key": "{AWS_KEY}"}}'),
    ],
)
def test_a_secret_is_found(root: Path, path: str, content: str) -> None:
    put(root, path, content)
    assert findings(root) == [path]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("cert.pem", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"),
        ("key.pub", "-----BEGIN PUBLIC KEY-----\nMIIE\n"),
        ("scanner.py", 'if "-----BEGIN PRIVATE KEY-----" in text:\n    raise ValueError\n'),
        (".env.example", "DB_PASSWORD=changeme\n"),
        (".env", "DB_PASSWORD=\nTOKEN=''\n# A=1\n"),
        (".npmrc", "registry=https://example.test\n//r/:_authToken=${NPM_TOKEN}\n"),
        (".docker/config.json", '{"auths": {}}'),
        (".docker/nginx.conf", "server {}"),
        ("src/config", "not aws"),
        ("kubeconfig", "clusters: []\n"),
        ("auth.json", "{}"),
        ("env.md", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"),
        ("aws.py", 'os.environ["AWS_SECRET_ACCESS_KEY"] = "testing"\n'),
        ("digest.py", f"secret_access_key = '{AWS_KEY}{AWS_KEY}'\n"),
        ("age.py", 'PREFIX = "AGE-SECRET-KEY-1"\n'),
        (".terraform.lock.hcl", 'provider "x" {}'),
        ("gcloud/deploy.sh", "gcloud run"),
        (".github/workflows/ci.yml", "on: push"),
        ("data.bin", "\0\1\2"),
    ],
)
def test_what_is_no_secret_passes(root: Path, path: str, content: str) -> None:
    put(root, path, content)
    assert findings(root) == []


@pytest.mark.parametrize(
    "folder",
    [
        ".git",
        ".aws",
        ".azure",
        ".kube",
        ".ssh",
        "deep/.git",
        ".schoolctl",
        ".terraform",
        ".config/gcloud",
    ],
)
def test_a_folder_of_secrets_is_one_finding(root: Path, folder: str) -> None:
    put(root, f"{folder}/a", KEY)
    put(root, f"{folder}/b", KEY)
    assert findings(root) == [f"{folder}/"]


@pytest.mark.parametrize(
    ("link", "target", "found"),
    [
        ("out", "/etc/passwd", True),
        ("out", "../x", True),
        ("a/out", "../../x", True),
        ("a/in", "../x", False),
        ("in", "a/../b", False),
        ("in", "nowhere", False),
    ],
)
def test_a_link_out_of_the_tree_is_found(
    root: Path,
    link: str,
    target: str,
    found: bool,  # noqa: FBT001  # a table's column
) -> None:
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(target)
    assert findings(root) == ([link] if found else [])


def test_a_missing_ignore_file_is_found(root: Path) -> None:
    (root / ".dockerignore").unlink()
    assert findings(root) == [".dockerignore"]


def test_a_key_across_two_pieces_of_a_large_file_is_found(root: Path) -> None:
    put(root, "large", "\n" * (8_000_000 - 20) + KEY)
    assert findings(root) == ["large"]


def test_a_huge_context_is_found_without_being_read(root: Path) -> None:
    with (root / "dump.sql").open("wb") as file:
        file.truncate(LARGEST_CONTEXT_BYTES + 1)  # a hole: no disk is filled
    context = read(root)
    assert context.entries == () or [each.path for each in context.entries] == ["Dockerfile"]
    assert "dump.sql" in context.findings[0].reason


def test_a_pipe_is_found(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert findings(root) == ["pipe"]


def test_an_allowed_path_passes(root: Path) -> None:
    put(root, "tests/keys/server.key", KEY)
    put(root, "tests/other.key", KEY)
    assert findings(root, allow=("tests/keys",)) == ["tests/other.key"]
    assert findings(root, allow=("tests/*.key", "tests/keys/*")) == []


def test_every_finding_is_listed_at_once(root: Path) -> None:
    put(root, "a.key", KEY)
    put(root, ".env", "A=1\n")
    with pytest.raises(SchoolctlError, match="2 things") as raised:
        read(root).check()
    assert raised.value.why.splitlines() == [
        ".env: an environment file with values in it",
        "a.key: a private key",
    ]
    assert "image.allow" in raised.value.hint


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do without root's right to read everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_what_may_not_be_read_is_a_finding() -> None:
    # Not in pytest's own folder, which is closed to all but who runs it.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name in ("Dockerfile", ".dockerignore", "locked/a.txt", "secret.txt"):
            put(root, name, "#\n")
        (root / "locked").chmod(0o000)
        (root / "secret.txt").chmod(0o000)
        with as_nobody():
            found = [str(each) for each in read(root).findings]
        (root / "locked").chmod(0o700)
    assert sorted(found) == ["locked/: cannot be read", "secret.txt: cannot be read"]
