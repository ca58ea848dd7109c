"""npm's version ranges, as far as they can be judged without npm.

Source: the grammar in the documentation of `semver` for Node.
"""

from __future__ import annotations

import re

Version = tuple[int, int, int]

_VERSION = re.compile(r"[v=\s]*(\d+)\.(\d+)\.(\d+)(?:\+\S*)?")
_PART = r"(\d+|[xX*])"
_COMPARATOR = re.compile(
    rf"(?P<op>\^|~>?|>=|<=|>|<|=)?v?(?:{_PART}(?:\.{_PART}(?:\.{_PART})?)?)?"
    r"(?P<pre>-[0-9A-Za-z.-]+)?(?:\+\S*)?"
)
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_SPACE_AFTER_OPERATOR = re.compile(r"([<>=~^]+)\s+")


def satisfies(version: str, wanted: str) -> bool | None:
    """Say whether a version is in a range; None where that cannot be said for certain.

    A version or a bound that is a prerelease, a tag (`next`) and a URL cannot be judged.
    """
    found = _VERSION.fullmatch(version.strip())
    if found is None:
        return None
    exact = (int(found[1]), int(found[2]), int(found[3]))
    judged = [_fits_all(exact, each.strip()) for each in wanted.split("||")]
    if True in judged:
        return True
    return None if None in judged else False


def _fits_all(version: Version, wanted: str) -> bool | None:
    hyphen = _HYPHEN.fullmatch(wanted)
    if hyphen:
        comparators = [f">={hyphen[1]}", f"<={hyphen[2]}"]
    else:
        comparators = _SPACE_AFTER_OPERATOR.sub(r"\1", wanted).split() or ["*"]
    judged = [_fits(version, each) for each in comparators]
    if None in judged:
        return None
    return all(judged)


def _fits(version: Version, comparator: str) -> bool | None:
    found = _COMPARATOR.fullmatch(comparator)
    if found is None:
        return None
    operator = (found["op"] or "=").replace("~>", "~")
    if found["pre"] and operator not in {"^", "~", ">="}:
        return None
    parts: list[int] = []
    for part in (found[2], found[3], found[4]):
        if part is None or part in "xX*":
            break
        parts.append(int(part))
    low, high = _bounds(operator, parts)
    return low <= version and (high is None or version < high)


def _bounds(operator: str, parts: list[int]) -> tuple[Version, Version | None]:
    """Give the lowest version that fits, and the lowest above that does not."""
    zero = (0, 0, 0)
    start = _padded(parts)
    if not parts:
        return (start, None) if operator not in {"<", ">"} else (zero, zero)
    match operator:
        case "^":
            # What may not change is the first part that is not zero, of those that are given.
            fixed = next((at for at, part in enumerate(parts) if part), len(parts) - 1)
            return start, _after(parts[: fixed + 1])
        case "~":
            return start, _after(parts[:2])
        case ">=":
            return start, None
        case ">":
            return _after(parts), None
        case "<":
            return zero, start
        case "<=":
            return zero, _after(parts)
        case _:
            return start, _after(parts)


def _padded(parts: list[int]) -> Version:
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return major, minor, patch


def _after(parts: list[int]) -> Version:
    """Give the first version after all that begin with `parts`."""
    return _padded([*parts[:-1], parts[-1] + 1])
