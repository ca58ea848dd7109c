"""What a push does, decided before anything is built."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schoolctl.base.errors import ConflictError, SchoolctlError, UsageError
from schoolctl.images.push.release import (
    CREATED,
    REVISION,
    SOURCE,
    VERSION,
    check_git,
    choose_tag,
    short_commit,
)
from schoolctl.images.push.rules import (
    LocalBuild,
    TaggedImage,
    is_pushed,
    plan_build,
    plan_push,
    plan_pushed,
)
from schoolctl.images.push.steps import BuildImage, CreateRepository, PushImage
from schoolctl.model.images import NoSource
from tests.worlds.image_scenes import BUILDKIT, NOTHING_LOCAL, digest, reference, release, source

NO_GIT = NoSource("fatal: not a git repository")


# The tag


def test_the_tag_that_was_given_is_taken() -> None:
    assert choose_tag("1.0", "c0ffee", dirty=True, fingerprint="f") == "1.0"


def test_without_a_tag_the_commit_is_taken() -> None:
    assert choose_tag(None, "c0ffee", dirty=False, fingerprint="f" * 64) == "c0ffee"


def test_a_dirty_tree_shows_in_the_tag() -> None:
    tag = choose_tag(None, "c0ffee", dirty=True, fingerprint="0123456789")
    assert tag == "c0ffee-dirty-01234567"


def test_without_a_tag_and_a_commit_the_user_is_told() -> None:
    with pytest.raises(UsageError) as raised:
        choose_tag(None, None, dirty=False, fingerprint="f")
    assert "--tag" in raised.value.hint


@pytest.mark.parametrize("tag", ["latest", "", "-a", ".a", "a b", "a/b", "a:b", "x" * 129, "ä"])
def test_a_bad_tag_is_refused(tag: str) -> None:
    with pytest.raises(UsageError):
        choose_tag(tag, None, dirty=False, fingerprint="f")


# git:


def test_any_source_will_do_where_the_environment_wants_nothing() -> None:
    check_git(NO_GIT, branch=None, clean=False, environment="dev")
    check_git(source("file", branches=("other",)), branch=None, clean=False, environment="dev")


def test_another_branch_is_refused() -> None:
    with pytest.raises(SchoolctlError, match="prod wants a build of branch main") as raised:
        check_git(source(branches=("feature",)), branch="main", clean=False, environment="prod")
    assert "git switch main" in raised.value.hint


def test_a_detached_head_at_the_branch_will_do() -> None:
    check_git(source(branches=("feature", "main")), branch="main", clean=True, environment="prod")


def test_a_detached_head_elsewhere_is_refused() -> None:
    with pytest.raises(SchoolctlError, match="branch main") as raised:
        check_git(source(branches=()), branch="main", clean=False, environment="prod")
    assert "no branch" in raised.value.why


def test_changes_are_refused_and_listed() -> None:
    with pytest.raises(SchoolctlError, match="2 files differ") as raised:
        check_git(source("a.py", "b.py"), branch=None, clean=True, environment="prod")
    assert raised.value.why == "a.py\nb.py"


def test_where_git_cannot_tell_a_rule_is_not_met() -> None:
    with pytest.raises(SchoolctlError, match="git cannot tell") as raised:
        check_git(NO_GIT, branch=None, clean=True, environment="prod")
    assert raised.value.why == NO_GIT.reason


# Labels


def test_labels_name_commit_version_and_time() -> None:
    labels = release(told=source(url="https://example.test/r")).labels
    assert labels[VERSION] == "1.0"
    assert labels[REVISION] == "c0ffee" + "0" * 34
    assert labels[CREATED] == "2026-11-02T09:00:00Z"
    assert labels[SOURCE] == "https://example.test/r"


def test_labels_tell_a_dirty_build() -> None:
    assert release(told=source("a")).labels[REVISION].endswith("-dirty")


def test_labels_without_git_name_no_commit() -> None:
    assert set(release(told=NO_GIT).labels) == {VERSION, "schoolctl.fingerprint"}


# What is in the repository already


def test_a_free_tag_is_not_pushed_yet() -> None:
    assert not is_pushed(release(), reference(), None)


def test_the_same_fingerprint_is_there() -> None:
    there = TaggedImage(digest("a"), "f" * 64)
    assert is_pushed(release(), reference(), there)
    plan = plan_pushed(reference(), there)
    assert plan.steps == ()
    assert plan.nothing.startswith("nothing to do")


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (TaggedImage(digest("a"), "0" * 64), "other files"),
        (TaggedImage(digest("a"), None), "not pushed by schoolctl"),
        (TaggedImage(digest("a"), None, unread="403 Forbidden"), "403 Forbidden"),
    ],
)
def test_a_taken_tag_is_refused(there: TaggedImage, why: str) -> None:
    with pytest.raises(ConflictError, match="is taken") as raised:
        is_pushed(release(), reference(), there)
    assert why in raised.value.why
    assert "--tag" in raised.value.hint


# The steps


def test_a_push_builds_then_pushes() -> None:
    plan = plan_push(release(), reference(), NOTHING_LOCAL, create_repository=False)
    assert [type(each) for each in plan.steps] == [BuildImage, PushImage]


def test_a_missing_repository_is_created_first() -> None:
    plan = plan_push(release(), reference(), NOTHING_LOCAL, create_repository=True)
    assert [type(each) for each in plan.steps] == [CreateRepository, BuildImage, PushImage]


def test_what_was_built_is_not_built_again() -> None:
    local = LocalBuild(BUILDKIT, release().labels, "linux/amd64")
    plan = plan_push(release(), reference(), local, create_repository=False)
    assert [type(each) for each in plan.steps] == [PushImage]
    assert plan_build(release(), reference(), local).steps == ()


@pytest.mark.parametrize(
    "local",
    [
        LocalBuild(BUILDKIT, release(fingerprint="0" * 64).labels, "linux/amd64"),
        LocalBuild(BUILDKIT, release(told=source("a")).labels, "linux/amd64"),
        LocalBuild(BUILDKIT, release().labels, "linux/arm64"),
        LocalBuild(BUILDKIT, {}, "linux/amd64"),
    ],
    ids=["other files", "other commit", "other platform", "by hand"],
)
def test_another_build_under_the_name_is_built_over(local: LocalBuild) -> None:
    plan = plan_push(release(), reference(), local, create_repository=False)
    assert isinstance(plan.steps[0], BuildImage)


def test_a_build_for_a_variant_of_the_platform_is_not_built_again() -> None:
    """An engine calls what it builds for `linux/arm64` a `linux/arm64/v8`."""
    arm = replace(release(), platform="linux/arm64")
    built = LocalBuild(BUILDKIT, arm.labels, "linux/arm64/v8")
    assert plan_build(arm, reference(), built).steps == ()
    other = LocalBuild(BUILDKIT, arm.labels, "linux/arm64x")
    assert plan_build(arm, reference(), other).steps != ()


def test_what_is_not_committed_is_said() -> None:
    plan = plan_build(release(told=source("a.py")), reference(), NOTHING_LOCAL)
    assert plan.notes == ("not all of it is committed: a.py",)


def test_a_commit_is_shortened_without_its_mark() -> None:
    commit = "acbb75e026781f0c6b31d0d9c1e2f3a4b5c6d7e8"
    assert short_commit(commit) == "acbb75e02678"
    assert short_commit(f"{commit}-dirty") == "acbb75e02678-dirty"
