"""Which image stays, which goes, and what is said of it: written cases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from schoolctl.plan.prune import Rules, Use, Verdict, judge, plan_prune
from schoolctl.plan.steps import ConfirmUnused, DeleteImages
from tests.unit.images.scenes import NOW, REPOSITORY, digest, image

if TYPE_CHECKING:
    from schoolctl.model import Image

OLD = Rules(keep=1, keep_days=14)
NEWEST = image("newest", "9.9", days=50)


def decide(*images: Image, uses: tuple[Use, ...] = (), rules: Rules = OLD) -> dict[str, Verdict]:
    """Judge `images` beside one that is the newest; gives verdicts by first tag, or digest."""
    verdicts = judge([*images, NEWEST], uses, rules, NOW)
    return {(each.image.tags or (each.image.digest.short,))[0]: each for each in verdicts}


def names(*images: Image) -> list[str]:
    return [each.digest.short for each in images]


def test_an_old_image_that_nothing_uses_goes() -> None:
    verdict = decide(image("a", "1.0"))["1.0"]
    assert not verdict.keep
    assert verdict.reasons == ("pushed 100 d ago, nothing uses it, and no rule keeps it",)


def test_the_newest_stay() -> None:
    found = decide(image("a", "1", days=60), image("b", "2", days=70), rules=Rules(2, 0))
    assert found["1"].reasons == ("is among the newest 2",)
    assert not found["2"].keep


def test_a_young_image_stays() -> None:
    found = decide(image("a", "1", days=13.9), image("b", "2", days=14), rules=Rules(1, 14))
    # The one that is 13.9 days old is the newest now, too.
    assert "is younger than 14 days" in found["1"].reasons
    assert not found["2"].keep


def test_no_days_to_keep_make_nothing_young_even_by_a_clock_that_is_behind() -> None:
    found = decide(image("a", "1", days=-1), image("b", "2", days=-2), rules=Rules(1, 0))
    assert found["2"].keep
    assert not found["1"].keep


def test_an_archived_image_stays_and_is_none_of_the_newest() -> None:
    archived = replace(image("a", "1", days=20), archived=True)
    found = decide(archived, image("b", "2", days=60), rules=Rules(2, 0))
    assert found["1"].reasons == ("is archived",)
    assert found["2"].reasons == ("is among the newest 2",)


def test_a_protected_tag_stays() -> None:
    rules = Rules(1, 0, ("release-*",))
    found = decide(image("a", "1", "release-1"), image("b", "prerelease-1"), rules=rules)
    assert found["1"].reasons == ("tag release-1 is protected (release-*)",)
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
    assert decide(image("a", "1"), uses=(use,))["1"].reasons == ("task 1 is RUNNING",)


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
        assert found[name].reasons == (f"is part of {index.digest.short}, which is kept",)


def test_an_index_stays_where_a_part_of_it_runs() -> None:
    index = image("index", "1", children=("amd64", "arm64"))
    use = Use("task 1", "task 1 is RUNNING", digest=digest("amd64"))
    found = decide(index, image("amd64"), image("arm64"), uses=(use,))
    assert found["1"].reasons == (f"holds {digest('amd64').short}: task 1 is RUNNING",)
    assert found[digest("arm64").short].keep


def test_parts_and_signatures_do_not_count_among_the_newest() -> None:
    index = image("index", "1", days=60, children=("amd64", "arm64"))
    others = image("amd64", days=60), image("arm64", days=60)
    signature = image("signature", days=40, subject="index")
    found = decide(index, *others, signature, rules=Rules(2, 0))
    assert found["1"].reasons == ("is among the newest 2",)


def test_a_signature_stays_with_its_image() -> None:
    found = decide(NEWEST, image("signature", subject="newest"))
    assert found[digest("signature").short].reasons == (
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
    assert found[digest("amd64").short].reasons == (
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
    assert found[digest("young").short].reasons == ("is younger than 14 days",)


def test_every_reason_is_told() -> None:
    uses = (
        Use("task 1", "task 1 is RUNNING", digest=digest("a")),
        Use("service s", "service s is at s:1", digest=digest("a")),
    )
    found = decide(image("a", "1", days=1), uses=uses, rules=Rules(1, 14, ("1",)))
    assert found["1"].reasons == (
        "task 1 is RUNNING",
        "service s is at s:1",
        "tag 1 is protected (1)",
        "is younger than 14 days",
        "is among the newest 1",
    )


# The plan


def test_indexes_go_before_their_parts_and_signatures_before_their_image() -> None:
    images = [
        NEWEST,
        image("amd64"),
        image("index", "1", children=("amd64",)),
        image("signature", subject="index"),
    ]
    steps = plan_prune(REPOSITORY, images, (), OLD, NOW, window=5).plan.steps
    assert [each.digests for each in steps if isinstance(each, DeleteImages)] == [
        (digest("signature"),),
        (digest("index"),),
        (digest("amd64"),),
    ]


def test_a_hundred_images_go_at_once() -> None:
    images = [NEWEST, *(image(str(number), str(number)) for number in range(250))]
    plan = plan_prune(REPOSITORY, images, (), OLD, NOW, window=5).plan
    sizes = [len(each.digests) for each in plan.steps if isinstance(each, DeleteImages)]
    assert sizes == [100, 100, 50]
    assert plan.deletes
    assert plan.summary == "delete 250 of 251 images of schoolapp-backend (250 kB)."


def test_before_anything_goes_the_uses_are_looked_up_once_more() -> None:
    going = image("a", "1")
    plan = plan_prune(REPOSITORY, [NEWEST, going], (), OLD, NOW, window=5).plan
    assert plan.steps[0] == ConfirmUnused(REPOSITORY, (going,), 5)


def test_where_all_stays_there_is_no_step() -> None:
    plan = plan_prune(REPOSITORY, [NEWEST], (), OLD, NOW, window=5).plan
    assert plan.steps == ()
    assert plan.nothing == "nothing to do: 1 image, and a reason to keep each"


def test_revisions_left_without_their_image_are_named() -> None:
    outside = (
        Use("web:3", "", digest=digest("a")),
        Use("web:2", "", tag="1"),
        Use("web:1", "", tag="9.9"),
    )
    plan = plan_prune(
        REPOSITORY, [NEWEST, image("a", "1")], (), OLD, NOW, window=5, outside=outside
    ).plan
    assert plan.notes == ("ACTIVE revisions that will be left without their image: web:3, web:2",)
