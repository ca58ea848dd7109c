"""Which image stays, which goes, and what is said of it: written cases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.images.stored.family import Needs, Use
from schoolctl.images.stored.rules import (
    PrunePlan,
    Rules,
    SummaryLine,
    Verdict,
    Why,
    judge,
    plan_prune,
    summary_of,
)
from schoolctl.images.stored.steps import ConfirmUnused, DeleteImages, DeregisterTaskDefinitions
from schoolctl.model.services import TaskDefinitionRef
from tests.worlds.image_scenes import NOW, REPOSITORY, digest, image

if TYPE_CHECKING:
    from schoolctl.model.images import Image

OLD = Rules(keep=1, keep_days=14)
NEWEST = image("newest", "9.9", days=50)


def decide(*images: Image, uses: tuple[Use, ...] = (), rules: Rules = OLD) -> dict[str, Verdict]:
    """Judge `images` beside one that is the newest; gives verdicts by first tag, or digest."""
    verdicts = judge([*images, NEWEST], uses, rules, NOW)
    return {(each.image.tags or (each.image.digest.short,))[0]: each for each in verdicts}


def told(verdict: Verdict) -> tuple[str, ...]:
    return tuple(map(str, verdict.reasons))


def plan_of(*images: Image, outside: tuple[Use, ...] = (), deregister: bool = False) -> PrunePlan:
    """Plan with the strictest rules: the newest image stays."""
    needs = Needs((), 5, outside)
    return plan_prune(REPOSITORY, [NEWEST, *images], needs, OLD, NOW, deregister=deregister)


def names(*images: Image) -> list[str]:
    return [each.digest.short for each in images]


def test_an_old_image_that_nothing_uses_goes() -> None:
    verdict = decide(image("a", "1.0"))["1.0"]
    assert not verdict.keep
    assert told(verdict) == ("pushed 100 d ago, nothing uses it, and no rule keeps it",)


def test_the_newest_stay() -> None:
    found = decide(image("a", "1", days=60), image("b", "2", days=70), rules=Rules(2, 0))
    assert told(found["1"]) == ("is among the 2 newest",)
    assert not found["2"].keep


def test_a_young_image_stays() -> None:
    found = decide(image("a", "1", days=13.9), image("b", "2", days=14), rules=Rules(1, 14))
    # The one that is 13.9 days old is the newest now, too.
    assert "is younger than 14 days" in told(found["1"])
    assert not found["2"].keep


def test_no_days_to_keep_make_nothing_young_even_by_a_clock_that_is_behind() -> None:
    found = decide(image("a", "1", days=-1), image("b", "2", days=-2), rules=Rules(1, 0))
    assert found["2"].keep
    assert not found["1"].keep


def test_an_archived_image_stays_and_is_none_of_the_newest() -> None:
    archived = replace(image("a", "1", days=20), archived=True)
    found = decide(archived, image("b", "2", days=60), rules=Rules(2, 0))
    assert told(found["1"]) == ("is archived",)
    assert told(found["2"]) == ("is among the 2 newest",)


def test_a_protected_tag_stays() -> None:
    rules = Rules(1, 0, ("release-*",))
    found = decide(image("a", "1", "release-1"), image("b", "prerelease-1"), rules=rules)
    assert told(found["1"]) == ("tag release-1 is protected (release-*)",)
    assert not found["prerelease-1"].keep


@pytest.mark.parametrize(
    "use",
    [
        Use("task 1", "task 1 is RUNNING", digest=digest("a")),
        Use("task 1", "task 1 is RUNNING", tag="1"),
        Use("task 1", "task 1 is RUNNING", digest=digest("a"), tag="1"),
    ],
    ids=["digest", "tag", "both"],
)
def test_an_image_in_use_stays(use: Use) -> None:
    assert told(decide(image("a", "1"), uses=(use,))["1"]) == ("task 1 is RUNNING",)


def test_a_tag_that_moved_after_the_task_began_keeps_both_images() -> None:
    use = Use("task 1", "task 1 is RUNNING", digest=digest("before"), tag="1")
    found = decide(image("before", "old"), image("after", "1"), uses=(use,))
    assert found["old"].keep
    assert found["1"].keep


def test_a_use_of_an_image_that_is_gone_is_no_matter() -> None:
    use = Use("task 1", "task 1 is RUNNING", digest=digest("gone"), tag="none")
    assert not decide(image("a", "1"), uses=(use,))["1"].keep


def test_the_parts_of_a_kept_index_stay() -> None:
    index = image("index", "1", children=("amd64", "arm64"))
    parts = image("amd64"), image("arm64")
    use = Use("service s", "service s is at s:1", tag="1")
    found = decide(index, *parts, uses=(use,))
    for name in names(*parts):
        assert told(found[name]) == (f"is part of {index.digest.short}, which is kept",)


def test_an_index_stays_where_a_part_of_it_runs() -> None:
    index = image("index", "1", children=("amd64", "arm64"))
    use = Use("task 1", "task 1 is RUNNING", digest=digest("amd64"))
    found = decide(index, image("amd64"), image("arm64"), uses=(use,))
    assert told(found["1"]) == (f"holds {digest('amd64').short}: task 1 is RUNNING",)
    assert found[digest("arm64").short].keep


def test_parts_and_signatures_do_not_count_among_the_newest() -> None:
    index = image("index", "1", days=60, children=("amd64", "arm64"))
    others = image("amd64", days=60), image("arm64", days=60)
    signature = image("signature", days=40, subject="index")
    found = decide(index, *others, signature, rules=Rules(2, 0))
    assert told(found["1"]) == ("is among the 2 newest",)


def test_a_signature_stays_with_its_image() -> None:
    found = decide(NEWEST, image("signature", subject="newest"))
    assert told(found[digest("signature").short]) == (
        f"belongs to {NEWEST.digest.short}, which is kept",
    )


def test_cosigns_tag_makes_a_signature() -> None:
    tag = f"sha256-{digest('newest').value[7:]}.sig"
    assert decide(image("signature", tag))[tag].keep


def test_an_index_goes_with_its_parts_and_signatures() -> None:
    index = image("index", "1", children=("amd64",))
    parts = image("amd64", days=3), image("signature", days=3, subject="index")
    found = decide(index, *parts)
    assert not any(found[name].keep for name in ("1", *names(*parts)))
    assert told(found[digest("amd64").short]) == (
        f"pushed 3 d ago, goes with {index.digest.short}",
    )


def test_a_part_that_two_indexes_share_stays_with_the_one_that_stays() -> None:
    indexes = (
        image("one", "1", children=("shared",)),
        image("two", "keep", children=("shared",)),
    )
    found = decide(*indexes, image("shared"), rules=Rules(1, 0, ("keep",)))
    assert not found["1"].keep
    assert found[digest("shared").short].keep


def test_a_signature_whose_image_is_gone_goes_when_it_is_old() -> None:
    found = decide(image("old", subject="gone"), image("young", days=1, subject="gone"))
    assert not found[digest("old").short].keep
    assert told(found[digest("young").short]) == ("is younger than 14 days",)


def test_every_reason_is_told() -> None:
    uses = (
        Use("task 1", "task 1 is RUNNING", digest=digest("a")),
        Use("service s", "service s is at s:1", digest=digest("a")),
    )
    found = decide(image("a", "1", days=1), uses=uses, rules=Rules(1, 14, ("1",)))
    assert told(found["1"]) == (
        "task 1 is RUNNING",
        "service s is at s:1",
        "tag 1 is protected (1)",
        "is younger than 14 days",
        "is the newest",
    )


# The plan


def test_an_index_goes_before_its_parts_and_an_image_before_its_signature() -> None:
    parts = image("amd64"), image("signature", subject="index")
    (deletion,) = deletions(plan_of(*parts, image("index", "1", children=("amd64",))))
    first, second = (sorted(each.digest for each in wave) for wave in deletion.waves)
    assert first == [digest("index")]
    assert second == sorted([digest("amd64"), digest("signature")])
    assert all(each.after == (digest("index"),) for each in deletion.waves[1])


def deletions(decided: PrunePlan) -> list[DeleteImages]:
    return [step for step in decided.plan.steps if isinstance(step, DeleteImages)]


def test_all_go_in_one_step() -> None:
    plan = plan_of(*(image(str(number), str(number)) for number in range(250))).plan
    assert [step.describe() for step in plan.steps] == [
        "look once more whether anything uses them",
        "delete 250 images from schoolapp-backend",
    ]
    assert plan.deletes
    assert plan.summary == "delete 250 of 251 images of schoolapp-backend (250 kB)."


def test_before_anything_goes_the_uses_are_looked_up_once_more() -> None:
    going = image("a", "1")
    assert plan_of(going).plan.steps[0] == ConfirmUnused(REPOSITORY, (going,), 5)


def test_where_all_stays_there_is_no_step() -> None:
    plan = plan_of().plan
    assert plan.steps == ()
    assert plan.nothing == "nothing to do: 1 image, and a reason to keep each"


HERE = REPOSITORY.registry
WEB = tuple(TaskDefinitionRef("web", number) for number in range(4))
OUTSIDE = (
    Use("web:3", "", digest=digest("a"), registry=HERE, revision=WEB[3]),
    Use("web:2", "", tag="1", registry=HERE, revision=WEB[2]),
    Use("web:1", "", digest=NEWEST.digest, registry=HERE, revision=WEB[1]),
)


def test_revisions_left_without_their_image_are_named() -> None:
    decided = plan_of(image("a", "1"), outside=OUTSIDE)
    assert decided.stranded == (WEB[3], WEB[2])
    assert decided.plan.notes[0] == "ACTIVE revisions without their image: web:3, web:2"
    assert not any(isinstance(each, DeregisterTaskDefinitions) for each in decided.plan.steps)


def test_revisions_left_without_their_image_are_deregistered_before_it_goes() -> None:
    plan = plan_of(image("a", "1"), outside=OUTSIDE, deregister=True).plan
    assert [type(each) for each in plan.steps] == [
        ConfirmUnused,
        DeregisterTaskDefinitions,
        DeleteImages,
    ]
    assert plan.steps[1] == DeregisterTaskDefinitions((WEB[3], WEB[2]))
    assert plan.summary == "delete 1 of 2 images and 2 revisions of schoolapp-backend (1.0 kB)."
    assert plan.notes == ()


def test_a_revision_whose_image_went_earlier_is_left_without_it_too() -> None:
    gone = Use("web:3", "", digest=digest("gone"), registry=HERE, revision=WEB[3])
    elsewhere = replace(gone, registry="elsewhere.test", revision=WEB[2])
    decided = plan_of(outside=(gone, elsewhere), deregister=True)
    assert decided.plan.steps == (DeregisterTaskDefinitions((WEB[3],)),)


def test_a_revision_of_another_environment_is_only_named() -> None:
    needs = Needs((), 5, elsewhere=OUTSIDE)
    images = [NEWEST, image("a", "1")]
    plan = plan_prune(REPOSITORY, images, needs, OLD, NOW, deregister=True).plan
    assert plan.notes == (
        "ACTIVE revisions of other environments without their image: web:3, web:2",
    )
    assert not any(isinstance(each, DeregisterTaskDefinitions) for each in plan.steps)


def test_a_summary_counts_each_image_once_by_its_main_reason() -> None:
    uses = (
        Use("web:1", "web:1 is the newest revision", digest=digest("a"), running=False),
        Use("task 1", "task 1 is RUNNING", digest=digest("a")),
    )
    images = [NEWEST, image("a", "1"), image("b", "2"), image("c", "3")]
    assert summary_of(judge(images, uses, OLD, NOW)) == [
        SummaryLine(True, Why.RUNNING.value, 1, 1000),
        SummaryLine(True, Why.NEWEST.value, 1, 1000),
        SummaryLine(False, Why.UNUSED.value, 2, 2000),
    ]


def test_where_only_untagged_images_were_asked_for_the_tagged_stay_with_what_is_theirs() -> None:
    images = image("a", "1"), image("b"), image("signature", subject="a")
    found = decide(*images, rules=Rules(1, 0, untagged_only=True))
    assert told(found["1"]) == ("has a tag, and only untagged ones may go",)
    assert found[digest("signature").short].keep
    assert not found[digest("b").short].keep
