"""Whatever is in a repository and whatever uses it: prune deletes nothing that is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from schoolctl.images.stored.family import Needs, Use, family_of
from schoolctl.images.stored.rules import Rules, Why, judge, plan_prune, summary_of
from schoolctl.images.stored.steps import DeleteImages
from schoolctl.model.images import Image
from tests.worlds.image_scenes import NOW, REPOSITORY, digest

if TYPE_CHECKING:
    from random import Random

    from schoolctl.model.images import Digest

TAGS = ("t1", "t10", "t2", "t3", "x1", "y1")
MOST = 8
GOING = {Why.UNUSED, Why.FOLLOWS}


@dataclass(frozen=True)
class Scene:
    """A repository, what uses it, and the rules."""

    images: tuple[Image, ...]
    uses: tuple[Use, ...]
    rules: Rules


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    size = draw(st.integers(0, MOST))
    free_tags = draw(st.permutations(TAGS))
    images = []
    for number in range(size):
        # Only earlier ones: what lists or names another knows its digest, so there is no circle.
        earlier = [digest(str(each)) for each in range(number)]
        others = st.sampled_from(earlier) if earlier else st.nothing()
        children = draw(st.lists(others, max_size=3, unique=True)) if earlier else []
        subject = draw(st.none() | others) if earlier and not children else None
        count = draw(st.integers(0, 2))
        tags, free_tags = tuple(free_tags[:count]), free_tags[count:]
        pushed_at = NOW - timedelta(hours=draw(st.integers(0, 24 * 30)))
        images.append(
            Image(
                digest(str(number)), tags, 1, pushed_at, children=tuple(children), subject=subject
            )
        )
    any_digest = st.none() | st.sampled_from([digest(str(each)) for each in range(MOST + 2)])
    use = st.builds(
        lambda which, tag: Use("u", f"u needs {which} {tag}", digest=which, tag=tag),
        any_digest,
        st.none() | st.sampled_from(TAGS),
    )
    rules = st.builds(
        Rules,
        keep=st.integers(1, 3),
        keep_days=st.sampled_from([0, 3, 14]),
        protect=st.lists(st.sampled_from(["t1*", "t3", "x*"]), max_size=2).map(tuple),
        untagged_only=st.booleans(),
    )
    return Scene(tuple(images), tuple(draw(st.lists(use, max_size=4))), draw(rules))


def deleted(scene: Scene) -> set[Digest]:
    return {
        each.image.digest
        for each in judge(scene.images, scene.uses, scene.rules, NOW)
        if not each.keep
    }


@given(scenes())
def test_nothing_in_use_is_deleted(scene: Scene) -> None:
    gone = deleted(scene)
    by_tag = {tag: image.digest for image in scene.images for tag in image.tags}
    for use in scene.uses:
        assert use.digest not in gone
        assert by_tag.get(use.tag or "") not in gone


@given(scenes())
def test_no_protected_tag_is_deleted(scene: Scene) -> None:
    gone = deleted(scene)
    for image in scene.images:
        if any(fnmatchcase(tag, each) for tag in image.tags for each in scene.rules.protect):
            assert image.digest not in gone


@given(scenes())
def test_the_newest_are_left(scene: Scene) -> None:
    gone = deleted(scene)
    own = family_of(scene.images).own
    left = [image for image in own if image.digest not in gone]
    assert len(left) >= min(scene.rules.keep, len(own))
    assert left[: scene.rules.keep] == list(own[: scene.rules.keep])


@given(scenes())
def test_no_kept_image_loses_a_part_or_a_signature(scene: Scene) -> None:
    gone = deleted(scene)
    present = {image.digest for image in scene.images}
    for image in scene.images:
        if image.digest not in gone:
            assert not gone & set(image.children) & present
        if image.subject in present and image.digest in gone:
            assert image.subject in gone


@given(scenes())
def test_an_index_whose_part_is_in_use_stays(scene: Scene) -> None:
    gone = deleted(scene)
    used = {use.digest for use in scene.uses}
    for image in scene.images:
        if used & set(image.children):
            assert image.digest not in gone or not used & {
                each.digest for each in scene.images if each.digest in image.children
            }


@given(scenes())
def test_every_image_has_one_verdict_and_a_reason_that_fits_it(scene: Scene) -> None:
    verdicts = judge(scene.images, scene.uses, scene.rules, NOW)
    assert sorted(each.image.digest for each in verdicts) == sorted(
        image.digest for image in scene.images
    )
    for each in verdicts:
        assert each.reasons
        assert all(reason.text for reason in each.reasons)
        assert all((reason.why in GOING) != each.keep for reason in each.reasons)


@given(scenes())
def test_a_summary_counts_every_image_once(scene: Scene) -> None:
    verdicts = judge(scene.images, scene.uses, scene.rules, NOW)
    lines = summary_of(verdicts)
    for keep in (True, False):
        told = sum(line.images for line in lines if line.keep is keep)
        assert told == sum(each.keep is keep for each in verdicts)


@given(scenes())
def test_no_tagged_image_is_deleted_where_only_untagged_ones_were_asked_for(scene: Scene) -> None:
    gone = deleted(replace(scene, rules=replace(scene.rules, untagged_only=True)))
    about = family_of(scene.images).subject
    for image in scene.images:
        if image.tags and image.digest not in about:
            assert image.digest not in gone


@given(scenes())
def test_pruning_again_deletes_nothing_more(scene: Scene) -> None:
    gone = deleted(scene)
    left = tuple(image for image in scene.images if image.digest not in gone)
    assert deleted(Scene(left, scene.uses, scene.rules)) == set()


@given(scenes(), st.randoms())
def test_the_order_of_the_images_is_no_matter(scene: Scene, random: Random) -> None:
    mixed = list(scene.images)
    random.shuffle(mixed)
    assert deleted(Scene(tuple(mixed), scene.uses, scene.rules)) == deleted(scene)


@given(scenes())
def test_the_steps_delete_what_was_judged_each_after_what_it_belongs_to(scene: Scene) -> None:
    plan = plan_prune(REPOSITORY, scene.images, Needs(scene.uses, 5), scene.rules, NOW).plan
    deletions = [step for step in plan.steps if isinstance(step, DeleteImages)]
    waves = [wave for step in deletions for wave in step.waves]
    order = [each.digest for wave in waves for each in wave]
    assert len(order) == len(set(order))
    assert set(order) == deleted(scene)
    when = {each.digest: number for number, wave in enumerate(waves) for each in wave}
    for image in scene.images:
        for child in image.children:
            if image.digest in when and child in when:
                assert when[image.digest] < when[child]
    for number, wave in enumerate(waves):
        for each in wave:
            # All but the parts of what is signed: there ECR's own order comes first.
            late = {digest for digest in each.after if when[digest] >= number}
            assert late <= {each.subject for each in scene.images}
