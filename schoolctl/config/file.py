"""schoolctl.yaml as a whole: found, read, checked, resolved with the origin of each value."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from schoolctl.base.errors import ConfigError, ConfigMissingError
from schoolctl.config.messages import FILE_KEYS, suggest
from schoolctl.config.names import ENVIRONMENT
from schoolctl.config.overlay import overlay_path
from schoolctl.config.reader import read_document
from schoolctl.config.tree import (
    DEFAULT_ORIGIN,
    InvalidConfigError,
    Layer,
    ListNode,
    MapNode,
    Node,
    Origin,
    Path_,
    Problem,
    Scalar,
    dotted,
    is_null,
    nearest_origin,
    node_at,
    with_layer,
    without,
)
from schoolctl.config.validation import Checked, check_environment, check_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from schoolctl.config.models import Config


FILE_NAME: Final = "schoolctl.yaml"


@dataclass(frozen=True)
class ResolvedConfig:
    """One environment with everything merged, and where each value came from.

    `origins` has the dotted path of every value, such as `task.cpu` or `parameters.db_host.from`.
    """

    config: Config
    origins: Mapping[str, Origin]
    file: ConfigFile

    @property
    def context_path(self) -> Path:
        """The build context's folder."""
        return self.file.directory / self.config.image.context

    @property
    def dockerfile_path(self) -> Path:
        """The Dockerfile's path."""
        return self.file.directory / self.config.image.dockerfile


class ConfigFile:
    """A schoolctl.yaml without problems; `parse_config` and `load_config_file` make it."""

    def __init__(
        self,
        path: Path,
        base: MapNode,
        environments: Mapping[str, MapNode],
        default_environment: str | None,
    ) -> None:
        self.path = path
        self.directory = path.parent
        self.environment_names = tuple(environments)
        self.default_environment = default_environment
        self._base = base
        self._environments = environments

    def resolve(self, environment: str | None) -> ResolvedConfig:
        """Give one environment, merged with this machine's overlay.

        Args:
            environment: its name; None for the file's default or only one.

        Raises:
            ConfigError: there is no such environment, or none is chosen.
            InvalidConfigError: the overlay has problems.
        """
        name = self._choose(environment)
        checked = self._check_with_overlay(name)
        if checked.config is None:
            raise InvalidConfigError(checked.problems)
        return ResolvedConfig(checked.config, find_origins(checked.config, checked.tree), self)

    def all(self) -> dict[str, ResolvedConfig]:
        """Give every environment, each merged with its overlay.

        Raises:
            InvalidConfigError: with the problems of all overlays.
        """
        problems = self.overlay_problems()
        if problems:
            raise InvalidConfigError(problems)
        return {name: self.resolve(name) for name in self.environment_names}

    def overlay_problems(self) -> tuple[Problem, ...]:
        """Give what is wrong with the overlays of all environments."""
        return tuple(
            problem
            for name in self.environment_names
            for problem in self._check_with_overlay(name).problems
        )

    def _check_with_overlay(self, name: str) -> Checked:
        layers = (self._base, self._environments[name])
        overlay, reading = _read_overlay(overlay_path(self.directory, name))
        problems = (*reading, *(check_layer(overlay) if overlay is not None else ()))
        checked = check_environment(name, (*layers, overlay) if overlay is not None else layers)
        known = _places(problems)
        merged = (each for each in checked.problems if (each.origin, each.path) not in known)
        found = _without_trapped((*problems, *merged), reading)
        return replace(checked, config=None if found else checked.config, problems=found)

    def _choose(self, environment: str | None) -> str:
        chosen = environment or self.default_environment
        if chosen is None and len(self.environment_names) == 1:
            chosen = self.environment_names[0]
        known = ", ".join(self.environment_names)
        if chosen is None:
            raise ConfigError(
                "no environment is chosen",
                why=f"{self.path.name} has {known} and no default_environment",
                hint="give one with --env, or set default_environment",
            )
        if chosen not in self.environment_names:
            meant = suggest(chosen, self.environment_names)
            raise ConfigError(
                f"there is no environment {chosen} in {self.path.name}",
                why=f"it has {known}",
                hint=f"did you mean {meant}?" if meant else "add it, or give another with --env",
            )
        return chosen


def load_config_file(path: Path | None, *, cwd: Path, overlays: bool = False) -> ConfigFile:
    """Find, read and check schoolctl.yaml.

    Args:
        path: the file; None to look for schoolctl.yaml in `cwd` and the folders above it, as
            far as the root of the repository.
        cwd: the folder that a relative path begins in.
        overlays: whether to check the overlays of all environments too.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        InvalidConfigError: the file has problems; all of them are in it.
    """
    found = find_config_file(path, cwd=cwd)
    return parse_config(_read_bytes(found), path=found, overlays=overlays)


def parse_config(content: bytes | str, *, path: Path, overlays: bool = False) -> ConfigFile:
    """Make a `ConfigFile` of what a file holds; `path` says where it lies.

    Raises:
        InvalidConfigError: the content has problems; all of them are in it.
    """
    data = content.encode() if isinstance(content, str) else content
    document = read_document(data, file=path, layer=Layer.BASE)
    if document.root is None:
        raise InvalidConfigError(document.problems)
    if not document.root.entries:
        empty = "the file is empty; run `schoolctl init`"
        raise InvalidConfigError([Problem(document.root.origin, "", empty)])
    parts = _split(document.root)
    problems = [*document.problems, *parts.problems, *_check(parts)]
    file = ConfigFile(path, parts.base, parts.environments, parts.default_environment)
    if overlays:
        known = _places(problems)
        problems += (
            each for each in file.overlay_problems() if (each.origin, each.path) not in known
        )
    remaining = _without_trapped(problems, document.problems)
    if remaining:
        raise InvalidConfigError(remaining)
    return file


def find_config_file(path: Path | None, *, cwd: Path) -> Path:
    """Give the path of schoolctl.yaml without reading it.

    Args:
        path: the file that was asked for, which need not exist; None to look for it.
        cwd: the folder to begin in; the search ends at the root of the repository.

    Raises:
        ConfigError: `path` is None, and there is no such file here or above.
    """
    if path is not None:
        return (cwd / path).absolute()
    for folder in (cwd, *cwd.parents):
        candidate = folder / FILE_NAME
        if candidate.exists():
            return candidate.absolute()
        if (folder / ".git").exists():
            break
    misspelt = cwd / "schoolctl.yml"
    raise ConfigMissingError(
        f"there is no {FILE_NAME} in {cwd} or the folders above it",
        why=f"{misspelt.name} is there, but is not read" if misspelt.exists() else "",
        hint=f"rename it to {FILE_NAME}" if misspelt.exists() else "run `schoolctl init`",
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {path}",
            hint="give another with --config, or run `schoolctl init`",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}", why=error.strerror or str(error), hint="give another file"
        ) from None


# The parts of the file


@dataclass(frozen=True)
class _Parts:
    base: MapNode
    environments: Mapping[str, MapNode]
    default_environment: str | None
    problems: tuple[Problem, ...]


def _split(root: MapNode) -> _Parts:
    problems: list[Problem] = []
    environments = _split_environments(root, problems)
    base: Node = root
    for key in FILE_KEYS:
        base = without(base, (key,))
    default = _default_environment(root, environments, problems)
    return _Parts(_without_credentials(base, (), problems), environments, default, tuple(problems))


def _split_environments(root: MapNode, problems: list[Problem]) -> dict[str, MapNode]:
    node = root.entries.get("environments")
    if not isinstance(node, MapNode) or not node.entries:
        place = nearest_origin(root, ("environments",))
        message = "required: at least one environment, such as dev: {region: us-east-1}"
        problems.append(Problem(place, "environments", message))
        return {}
    environments: dict[str, MapNode] = {}
    for name, child in node.entries.items():
        path: Path_ = ("environments", name)
        complaint = ENVIRONMENT.complain(name)
        if complaint:
            problems.append(Problem(node.key_origins[name], dotted(path), complaint))
        elif isinstance(child, Scalar | ListNode) and not is_null(child):
            message = "expected a mapping of keys and values"
            problems.append(Problem(child.origin, dotted(path), message))
        else:
            settings = child if isinstance(child, MapNode) else MapNode(origin=child.origin)
            layer = with_layer(settings, Layer.ENVIRONMENT)
            environments[name] = _without_credentials(layer, path, problems)
    return environments


def _default_environment(
    root: MapNode, environments: Mapping[str, MapNode], problems: list[Problem]
) -> str | None:
    node = root.entries.get("default_environment")
    if node is None or is_null(node):
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        message = "expected the name of an environment"
    elif node.value not in environments:
        meant = suggest(node.value, environments)
        question = f"; did you mean {meant}?" if meant else ""
        message = f'there is no environment "{node.value}"{question}'
    else:
        return node.value
    problems.append(Problem(node.origin, "default_environment", message))
    return None


def _without_credentials(layer: Node, prefix: Path_, problems: list[Problem]) -> MapNode:
    if not isinstance(layer, MapNode):
        return MapNode()
    if "credentials" in layer.entries:
        message = (
            f"keys do not belong in {FILE_NAME}, which is committed;"
            " put them in .schoolctl/<environment>.yaml, or name a profile"
        )
        place = layer.key_origins["credentials"]
        problems.append(Problem(place, dotted((*prefix, "credentials")), message))
    kept = without(layer, ("credentials",))
    return kept if isinstance(kept, MapNode) else layer


# Checks


def _check(parts: _Parts) -> list[Problem]:
    """Check every layer, and every environment without its overlay."""
    problems = check_layer(parts.base, file_level=True)
    for name, layer in parts.environments.items():
        problems += check_layer(layer, prefix=("environments", name))
    # Without a usable environment the base is still checked as one.
    environments = parts.environments or {"environment": MapNode(origin=parts.base.origin)}
    in_environments: dict[Problem, list[str]] = defaultdict(list)
    for name, layer in environments.items():
        for problem in check_environment(name, (parts.base, layer)).problems:
            in_environments[problem].append(name)
    known = _places(problems)
    for problem, names in in_environments.items():
        if (problem.origin, problem.path) in known:
            continue
        shared = len(names) == len(environments) or problem.origin.layer is not Layer.BASE
        where = "" if shared else f" (in {' and '.join(names)})"
        problems.append(replace(problem, message=problem.message + where))
    return problems


def _places(problems: Iterable[Problem]) -> set[tuple[Origin, str]]:
    return {(problem.origin, problem.path) for problem in problems}


def _read_overlay(path: Path) -> tuple[MapNode | None, tuple[Problem, ...]]:
    if not path.exists():
        return None, ()
    document = read_document(_read_bytes(path), file=path, layer=Layer.OVERLAY)
    return document.root, document.problems


def _without_trapped(
    problems: Iterable[Problem], reading: tuple[Problem, ...]
) -> tuple[Problem, ...]:
    """Leave out what follows from a value that could not be read in one way only."""
    trapped = {_place(each) for each in reading}
    return tuple(each for each in problems if each in reading or _place(each) not in trapped)


def _place(problem: Problem) -> tuple[Path, int, int]:
    return problem.origin.file, problem.origin.line, problem.origin.column


_MASK: Final = "***"
# Plain variables are no place for secrets, but the overlay of a local AWS has keys there.
_SECRETIVE: Final = re.compile(
    r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|(?:ACCESS|PRIVATE|API)_?KEY", re.IGNORECASE
)


def list_values(config: Config) -> dict[str, object]:
    """Give every value by its dotted path, as JSON would have it, in the order of the keys.

    A list of plain values, and an empty mapping, is one value. Credentials are masked, and so
    are variables whose names say that they are secret.
    """
    return {dotted(path): value for path, value in _leaves(_dump(config), ())}


def find_origins(config: Config, tree: MapNode) -> dict[str, Origin]:
    """Give the place of every value of `list_values`.

    A default that an explicit `null` brought back has the place of the null.
    """
    return {dotted(path): _origin(tree, path) for path, _value in _leaves(_dump(config), ())}


def dump_values(config: Config) -> dict[str, object]:
    """Give the configuration as one nested document, keys as in the file, credentials masked."""
    return _dump(config)


def _dump(config: Config) -> dict[str, object]:
    values = config.model_dump(mode="json", by_alias=True, exclude={"environment"})
    if values["credentials"] is not None:
        values["credentials"] = dict.fromkeys(values["credentials"], _MASK)
    for variables in (values["task"]["environment"], values["image"]["build_args"]):
        for name in variables:
            if _SECRETIVE.search(name):
                variables[name] = _MASK
    return cast("dict[str, object]", values)


def _leaves(value: object, path: Path_) -> Iterator[tuple[Path_, object]]:
    match value:
        case dict() if value:
            for key, child in value.items():
                yield from _leaves(child, (*path, key))
        case list() if any(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                yield from _leaves(item, (*path, index))
        case _:
            yield path, value


def _origin(tree: MapNode, path: Path_) -> Origin:
    for length in range(len(path), 0, -1):
        node = node_at(tree, path[:length])
        if node is None:
            continue
        unset = isinstance(node, Scalar) and node.value is None
        if length == len(path) or unset:
            return nearest_origin(tree, path[:length])
        break
    return DEFAULT_ORIGIN
