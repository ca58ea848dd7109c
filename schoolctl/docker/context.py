"""The build context: exactly what a builder gets, what is wrong with it, and its fingerprint.

The context is put into a tar here, for every builder alike, so that what was judged and
fingerprinted is what is sent: each builder's own reading of .dockerignore stays out of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, TYPE_CHECKING

from schoolctl.base.errors import ConfigError, SchoolctlError
from schoolctl.base.text import count, size
from schoolctl.docker.guard import (
    LARGEST_CONTEXT_BYTES,
    DockerIgnore,
    Finding,
    is_allowed,
    judge_file,
    judge_folder,
    judge_link,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_PIECE_BYTES = 8_000_000
_OVERLAP_BYTES = 4096
_MOST_SHOWN = 20
_OUTSIDE_DOCKERFILE = "Dockerfile.schoolctl"
"""The name in the context of a Dockerfile that lies outside of it."""


class Kind(StrEnum):
    """What an entry of the context is."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"


@dataclass(frozen=True)
class Entry:
    """One entry of the context.

    Attributes:
        path: relative to the context, with `/`.
        kind: a device, socket or pipe is none of them, and never an entry.
        mode: the permission bits, without the others' and the group's right to write: they
            differ with the umask of whoever checked out, not with the content.
        size_bytes: of a file.
        content: sha256 of a file's content, or where a link leads; empty for a directory.
    """

    path: str
    kind: Kind
    mode: int
    size_bytes: int
    content: str


@dataclass(frozen=True)
class BuildContext:
    """What a builder would get.

    Attributes:
        root: the directory.
        dockerfile: where the Dockerfile lies.
        dockerfile_name: its path in the context.
        entries: sorted by path.
        findings: what must not be sent; with any of them nothing may be built.
    """

    root: Path
    dockerfile: Path
    dockerfile_name: str
    entries: tuple[Entry, ...]
    findings: tuple[Finding, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all its files."""
        return sum(each.size_bytes for each in self.entries)

    def check(self) -> None:
        """Raise a `SchoolctlError` that lists every finding; without any, do nothing."""
        if not self.findings:
            return
        shown = [str(each) for each in self.findings[:_MOST_SHOWN]]
        if len(self.findings) > _MOST_SHOWN:
            shown.append(f"and {len(self.findings) - _MOST_SHOWN} more")
        raise SchoolctlError(
            f"the build context {self.root} holds {count(len(self.findings), 'thing')}"
            " that must not be in an image",
            why="\n".join(shown),
            hint="leave them out in .dockerignore (best: `*`, then `!` for what the image needs),"
            " or list a path under `image.allow` in schoolctl.yaml",
        )

    def fingerprint(self, *, build_args: Mapping[str, str], platform: str) -> str:
        """Give what stands for everything that goes into the image: 64 hexadecimal digits.

        The same files, modes, Dockerfile, arguments and platform give the same on every machine;
        times and owners do not count. A base image counts by the name that the Dockerfile or an
        argument gives it.
        """
        parts: list[object] = [
            [each.path, each.kind, each.mode, each.content] for each in self.entries
        ]
        parts += [self.dockerfile_name, sorted(build_args.items()), platform]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def write_tar(self, target: IO[bytes]) -> None:
        """Write the context as a tar to `target`, with the files' own times, owned by root.

        The times do not count for a builder's cache, but a web server may tell a changed file by
        its time alone.

        Raises:
            SchoolctlError: a file is not what it was when the context was read.
        """
        with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for each in self.entries:
                try:
                    self._add(each, tar)
                except OSError as error:
                    raise SchoolctlError(
                        f"{self._path_of(each)} changed while it was handed to the builder",
                        why=str(error),
                        hint="run it again when nothing writes there",
                    ) from error

    def _add(self, entry: Entry, tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(entry.path)
        path = self._path_of(entry)
        info.mode, info.mtime = entry.mode, int(path.lstat().st_mtime)
        match entry.kind:
            case Kind.DIRECTORY:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            case Kind.LINK:
                info.type, info.linkname = tarfile.SYMTYPE, entry.content
                tar.addfile(info)
            case Kind.FILE:
                info.size = entry.size_bytes
                with path.open("rb") as file:
                    content = _Hashed(file)
                    tar.addfile(info, content)
                    if file.read(1) or content.hexdigest() != entry.content:
                        raise OSError("its content is another than the one that was judged")

    def text_of(self, path: str) -> str | None:
        """Give the text of a file in the directory, whether it is sent or not; None without one.

        Args:
            path: relative to the directory, with `/`.
        """
        file = (self.root / path).resolve()
        if not file.is_relative_to(self.root.resolve()) or not file.is_file():
            return None
        try:
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def largest(self, number: int) -> list[tuple[str, int]]:
        """Give what takes most of the space: files and folders at the top, with their bytes."""
        return _by_top((each.path, each.size_bytes) for each in self.entries)[:number]

    def _path_of(self, entry: Entry) -> Path:
        return self.dockerfile if entry.path == self.dockerfile_name else self.root / entry.path


def read_context(root: Path, dockerfile: Path, *, allow: Sequence[str] = ()) -> BuildContext:
    """Read what a builder would get from `root`, and judge it.

    Args:
        root: the context.
        dockerfile: the Dockerfile, in the context or elsewhere.
        allow: `image.allow`: paths and patterns that pass whatever is in them.

    Raises:
        ConfigError: the context or the Dockerfile is not there.
    """
    if not root.is_dir():
        raise ConfigError(
            f"the build context {root} is no directory", hint="correct `image.context`"
        )
    if not dockerfile.is_file():
        raise ConfigError(f"there is no {dockerfile}", hint="correct `image.dockerfile`")
    ignore, findings = _ignore(root, dockerfile)
    reader = _Reader(root, ignore, allow)
    reader.findings.extend(findings)
    reader.read()
    name = _name_in(root, dockerfile)
    if all(each.path != name for each in reader.entries):
        reader.entries.append(_dockerfile_entry(dockerfile, name))
    return BuildContext(
        root,
        dockerfile,
        name,
        tuple(sorted(reader.entries, key=lambda each: each.path)),
        tuple(reader.findings),
    )


def _ignore(root: Path, dockerfile: Path) -> tuple[DockerIgnore, list[Finding]]:
    # BuildKit's rule: a Dockerfile may have an ignore file of its own.
    for path in (dockerfile.with_name(dockerfile.name + ".dockerignore"), root / ".dockerignore"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            return DockerIgnore(text, path.name), []
    missing = Finding(".dockerignore", "is missing, so everything here would be sent")
    return DockerIgnore(""), [missing]


def _name_in(root: Path, dockerfile: Path) -> str:
    try:
        return dockerfile.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return _OUTSIDE_DOCKERFILE


def _dockerfile_entry(dockerfile: Path, name: str) -> Entry:
    content = dockerfile.read_bytes()
    return Entry(name, Kind.FILE, 0o644, len(content), hashlib.sha256(content).hexdigest())


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def read(self, length: int = -1, /) -> bytes:
        piece = self._file.read(length)
        self._digest.update(piece)
        return piece

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _by_top(sizes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    by_top: dict[str, int] = {}
    for path, size_bytes in sizes:
        top, slash, _ = path.partition("/")
        by_top[top + slash] = by_top.get(top + slash, 0) + size_bytes
    return sorted(by_top.items(), key=lambda each: (-each[1], each[0]))


class _Reader:
    """Walks a context once: reads, hashes and judges each entry that would be sent."""

    def __init__(self, root: Path, ignore: DockerIgnore, allow: Sequence[str]) -> None:
        self.entries: list[Entry] = []
        self.findings: list[Finding] = []
        self._root = root
        self._ignore = ignore
        self._allow = allow

    def read(self) -> None:
        found = list(self._walk(""))
        total = sum(
            status.st_size
            for path, status in found
            if stat.S_ISREG(status.st_mode) and not is_allowed(path, self._allow)
        )
        if total > LARGEST_CONTEXT_BYTES:
            # Reading gigabytes only to refuse them helps nobody.
            self.findings.append(self._too_large(found, total))
            return
        for path, status in found:
            self._take(path, status)

    def _walk(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """Give each path that is not left out; a folder before what is in it."""
        for item in self._items(folder):
            path = f"{folder}/{item.name}" if folder else item.name
            left_out = self._ignore.leaves_out(path)
            if not item.is_dir(follow_symlinks=False):
                if not left_out and path != ".dockerignore":
                    yield path, item.stat(follow_symlinks=False)
                continue
            inside: Iterator[tuple[str, os.stat_result]] = iter(())
            if not left_out and (finding := self._judged(judge_folder(path), path)):
                self.findings.append(finding)
            elif not left_out or self._ignore.may_take_back_in(path):
                inside = self._walk(path)
            first = next(inside, None)
            if not left_out or first is not None:
                yield path, item.stat(follow_symlinks=False)
            if first is not None:
                yield first
                yield from inside

    def _items(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            return sorted(os.scandir(self._root / folder), key=lambda each: each.name)
        except OSError:
            self.findings.append(Finding(f"{folder or '.'}/", "cannot be read"))
            return []

    def _take(self, path: str, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH)
        if stat.S_ISDIR(status.st_mode):
            self.entries.append(Entry(path, Kind.DIRECTORY, mode, 0, ""))
        elif stat.S_ISLNK(status.st_mode):
            target = str((self._root / path).readlink())
            self._find(judge_link(path, target), path)
            # A link's own mode means nothing, and is another on other systems.
            self.entries.append(Entry(path, Kind.LINK, 0o777, 0, target))
        elif stat.S_ISREG(status.st_mode):
            self._take_file(path, mode)
        else:
            self._find(Finding(path, "neither a file nor a directory nor a link"), path)

    def _take_file(self, path: str, mode: int) -> None:
        digest = hashlib.sha256()
        length, tail = 0, b""
        finding: Finding | None = None
        try:
            with (self._root / path).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    digest.update(piece)
                    length += len(piece)
                    finding = finding or judge_file(path, tail + piece)
                    tail = piece[-_OVERLAP_BYTES:]
        except OSError:
            self.findings.append(Finding(path, "cannot be read"))
            return
        self._find(finding if length else judge_file(path, b""), path)
        self.entries.append(Entry(path, Kind.FILE, mode, length, digest.hexdigest()))

    def _find(self, finding: Finding | None, path: str) -> None:
        judged = self._judged(finding, path)
        if judged is not None:
            self.findings.append(judged)

    def _judged(self, finding: Finding | None, path: str) -> Finding | None:
        return None if is_allowed(path, self._allow) else finding

    def _too_large(self, found: Sequence[tuple[str, os.stat_result]], total: int) -> Finding:
        largest = _by_top(
            (path, status.st_size) for path, status in found if stat.S_ISREG(status.st_mode)
        )[:3]
        named = ", ".join(f"{name} {size(each)}" for name, each in largest)
        return Finding(
            "the whole context",
            f"{size(total)}, more than {size(LARGEST_CONTEXT_BYTES)} (the largest: {named})",
        )
