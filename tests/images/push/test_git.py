"""What git tells of a work tree: a real git, in a real one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from schoolctl.images.push.git import public_url, read_source
from schoolctl.model.images import NoSource, Source

if TYPE_CHECKING:
    from pathlib import Path

_WHO = ("-c", "user.name=T", "-c", "user.email=t@example.test")


def git(directory: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *_WHO, *args], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    directory = tmp_path / "tree"
    (directory / "app").mkdir(parents=True)
    (directory / "app" / "main.py").write_text("1")
    (directory / "docs.md").write_text("1")
    git(directory, "init", "-q", "-b", "main")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "first")
    return directory


def read(tree: Path) -> Source:
    found = read_source(tree, [tree / "app"], os.environ)
    assert isinstance(found, Source)
    return found


def test_commit_time_and_branch_are_read(tree: Path) -> None:
    found = read(tree)
    assert found.commit == git(tree, "rev-parse", "HEAD")
    assert found.committed_at.isoformat() == git(tree, "log", "-1", "--format=%cI").replace(
        "Z", "+00:00"
    )
    assert found.branches == ("main",)
    assert found.changed == ()


def test_a_signed_commit_is_read_where_git_shows_signatures(tree: Path, tmp_path: Path) -> None:
    gpg = tmp_path / "gpg"
    gpg.write_text("#!/bin/sh\necho 'gpg: Good signature' >&2\necho '[GNUPG:] GOODSIG 1 T'\n")
    gpg.chmod(0o755)
    signature = "-----BEGIN PGP SIGNATURE-----\n \n iQ\n -----END PGP SIGNATURE-----"
    who = "T <t@example.test> 1700000000 +0000"
    signed = tmp_path / "signed"
    signed.write_text(
        f"tree {git(tree, 'rev-parse', 'HEAD^{tree}')}\nauthor {who}\ncommitter {who}\n"
        f"gpgsig {signature}\n\nsigned\n"
    )
    commit = git(tree, "hash-object", "-t", "commit", "-w", str(signed))
    git(tree, "update-ref", "HEAD", commit)
    git(tree, "config", "gpg.program", str(gpg))
    git(tree, "config", "log.showSignature", "true")
    assert "Good signature" in git(tree, "log", "-1", "--format=%H")
    assert read(tree).commit == commit


def test_only_changes_to_what_is_built_count(tree: Path) -> None:
    (tree / "docs.md").write_text("2")
    assert read(tree).changed == ()


def test_changed_new_renamed_and_deleted_files_count(tree: Path) -> None:
    (tree / "app" / "a b.py").write_text("x = 1\n" * 20)
    (tree / "app" / "gone.py").write_text("y")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "second")
    git(tree, "mv", "app/a b.py", "app/c d.py")
    (tree / "app" / "gone.py").unlink()
    (tree / "app" / "main.py").write_text("2")
    (tree / "app" / "new.py").write_text("z")
    assert sorted(read(tree).changed) == [
        "app/a b.py",
        "app/c d.py",
        "app/gone.py",
        "app/main.py",
        "app/new.py",
    ]


def test_a_detached_head_is_on_the_branches_that_end_there(tree: Path) -> None:
    git(tree, "branch", "release")
    git(tree, "update-ref", "refs/remotes/origin/staging", "HEAD")
    git(tree, "checkout", "-q", "--detach")
    assert read(tree).branches == ("main", "release", "staging")
    git(tree, "commit", "-qm", "on no branch", "--allow-empty")
    assert read(tree).branches == ()


def test_a_remote_is_named_without_its_password(tree: Path) -> None:
    git(tree, "remote", "add", "origin", "https://user:token@example.test/r.git")
    assert read(tree).url == "https://example.test/r.git"


def test_without_a_repository_git_says_why(tmp_path: Path) -> None:
    found = read_source(tmp_path, [tmp_path], os.environ)
    assert isinstance(found, NoSource)
    assert "not a git repository" in found.reason


def test_without_a_commit_git_says_why(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    found = read_source(tmp_path, [tmp_path], os.environ)
    assert isinstance(found, NoSource)
    assert "commit" in found.reason


def test_without_git_it_is_said(tmp_path: Path) -> None:
    found = read_source(tmp_path, [tmp_path], {"PATH": str(tmp_path)})
    assert found == NoSource("git is not installed")


@pytest.mark.parametrize(
    ("remote", "public"),
    [
        ("https://u:p@example.test/a/b.git", "https://example.test/a/b.git"),
        ("https://token@example.test/a", "https://example.test/a"),
        ("https://example.test/a", "https://example.test/a"),
        ("git@example.test:a/b.git", "ssh://example.test/a/b.git"),
        ("ssh://git@example.test/a", "ssh://example.test/a"),
        ("/srv/git/a", None),
        ("file:///srv/git/a", None),
    ],
)
def test_a_remote_is_public_or_nothing(remote: str, public: str | None) -> None:
    assert public_url(remote) == public
