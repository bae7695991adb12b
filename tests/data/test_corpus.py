"""Training sides of several data sets as one array."""

from dataclasses import replace

import numpy as np
import pytest

from pstl.data.corpus import Side, joined
from pstl.data.store import ArraySet
from pstl.errors import UserError
from pstl.skeletons import load


def made(dataset: str, skeleton: str, people: int = 1, frames: int = 6, first: int = 0) -> ArraySet:
    """Six clips, of which the last two are for testing; every joint lies at its name's length."""
    names = load(skeleton).names
    x = np.zeros((6, 3, frames, len(names), people), dtype=np.float32)
    x[:] = np.array([place(name) for name in names])[:, None]
    x *= 1 + np.arange(6)[:, None, None, None, None] + 10 * np.arange(people)
    meta = {"dataset": dataset, "skeleton": skeleton, "people": people, "checksum": dataset}
    splits = {"xsub": (np.arange(4), np.arange(4, 6))}
    content = (first + np.arange(6)).astype(np.uint64)
    clips = [f"{dataset}{i}" for i in range(6)]
    return ArraySet(x, np.arange(6) % 2, np.full(6, frames), content, clips, splits, meta)


def place(name: str) -> float:
    """A number that stands for a joint's name."""
    return float(sum(map(ord, name)))


def sides(*arrays: ArraySet) -> list[Side]:
    return [Side(array, "xsub") for array in arrays]


def test_one_side_is_its_array() -> None:
    """A run without corpus must train on the very same bytes as before there was one."""
    array = made("a", "kinect_v1")
    assert joined(sides(array)) is array


def test_joints_of_another_order_come_to_their_places() -> None:
    """A knee in the place of a shoulder is trained on as happily, and nobody sees it."""
    own, other = made("a", "kinect_v1"), made("b", "msr20", first=100)
    x = joined(sides(own, other)).x
    assert not np.array_equal(load("kinect_v1").names, load("msr20").names)
    assert np.array_equal(x[:4], own.x[:4])
    assert np.array_equal(x[4:], own.x[:4])  # of a clip of as many frames with the same places


def test_bodies_and_frames_are_those_of_the_run_and_of_the_longest_clip() -> None:
    """Slots of strangers would be other people; frames that are cut would be other clips."""
    own, crowd = made("a", "kinect_v1", people=2), made("b", "kinect_v1", 3, first=100)
    alone = made("c", "kinect_v1", frames=9, first=200)
    x = joined(sides(own, crowd, alone)).x
    assert x.shape == (12, 3, 9, 20, 2)
    assert np.array_equal(x[4:8, :, :6], crowd.x[:4, ..., :2])
    assert np.array_equal(x[8:, ..., :1], alone.x[:4])
    assert not x[8:, ..., 1].any()
    assert not x[:8, :, 6:].any()


def test_only_training_clips_come_along_and_without_their_labels() -> None:
    """A test clip or a label that slips in makes every number of the run void."""
    own, other = made("a", "kinect_v1"), made("b", "kinect_v1", frames=7, first=100)
    both = joined(sides(own, other))
    train, test = both.sides("xsub")
    assert both.names == [f"a/xsub a{i}" for i in range(4)] + [f"b/xsub b{i}" for i in range(4)]
    assert np.array_equal(train, np.arange(8))
    assert not len(test)
    assert np.array_equal(both.content, [0, 1, 2, 3, 100, 101, 102, 103])
    assert np.array_equal(both.length, [6] * 4 + [7] * 4)
    assert set(both.y) == {-1}
    assert both.meta["corpus"] == {
        "a/xsub": {"clips": 4, "checksum": "a"},
        "b/xsub": {"clips": 4, "checksum": "b"},
    }


@pytest.mark.parametrize("turned", [False, True])
def test_a_clip_that_another_side_tests_on_is_refused(turned: bool) -> None:
    """One recording in two releases is trained on in one and tested on in the other."""
    own, other = made("a", "kinect_v1"), made("b", "kinect_v1", first=100)
    content = other.content.copy()
    content[5 if turned else 1] = own.content[1 if turned else 5]
    with pytest.raises(UserError) as refused:
        joined(sides(own, replace(other, content=content)))
    names = ("a/xsub", "b/xsub", "a1") if turned else ("b/xsub", "a/xsub", "b1")
    said = "1 training clips of {} have the very coordinates of test clips of {}, e.g. {};"
    assert said.format(*names) in str(refused.value)
