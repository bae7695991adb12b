"""The training sides of several data sets as one: what a run with a `corpus` is trained on."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pstl.data.store import ArraySet
from pstl.errors import UserError
from pstl.skeletons.mapping import joints_of


class Side(NamedTuple):
    """One data set's array, and the split whose training side is meant."""

    data: ArraySet
    split: str

    @property
    def name(self) -> str:
        """As settings name it."""
        return f"{self.data.meta['dataset']}/{self.split}"

    @property
    def train(self) -> np.ndarray:
        """Indices (n,) of the training clips."""
        return self.data.sides(self.split)[0]


def joined(sides: Sequence[Side]) -> ArraySet:
    """The training clips of all sides, in memory, in the body and the body slots of the first.

    Joints are found by their names. Of clips with more body slots the first ones are kept, which is
    where recipes put the main bodies; where there are fewer, bodies are absent. Clips of fewer
    frames end in zeros, as those of one recipe do. No clip has a label.
    Returns: the first side's array itself if there is no other; else clips in the order of the
    sides, all of them on the training side of the first split.
    Raises: UserError if a clip is trained on that another side tests on.
    """
    first = sides[0]
    if len(sides) == 1:
        return first.data
    check_apart(sides)
    lengths = np.concatenate([side.data.length[side.train] for side in sides])
    contents = np.concatenate([side.data.content[side.train] for side in sides])
    names = [f"{side.name} {side.data.names[i]}" for side in sides for i in side.train]
    split = (np.arange(len(names)), np.zeros(0, dtype=np.int64))
    return ArraySet(
        x=_clips(sides),
        y=np.full(len(names), -1, dtype=np.int64),
        length=lengths,
        content=contents,
        names=names,
        splits={first.split: split},
        meta={**first.data.meta, "corpus": _record(sides)},
    )


def check_apart(sides: Sequence[Side]) -> None:
    """Raises: UserError naming a clip that one side trains on and another one tests on.

    What is on both sides of one data set is said by its own check.
    """
    for trained, tested in itertools.permutations(sides, 2):
        test = tested.data.sides(tested.split)[1]
        seen = np.isin(trained.data.content[trained.train], tested.data.content[test])
        if seen.any():
            clip = trained.data.names[trained.train[int(np.argmax(seen))]]
            raise UserError(
                f"corpus: {seen.sum()} training clips of {trained.name} have the very coordinates "
                f"of test clips of {tested.name}, e.g. {clip}; take one of the two out of 'corpus'"
            )


def _clips(sides: Sequence[Side]) -> np.ndarray:
    """Their training clips (N, 3, T, V, M), with the V and M of the first and the longest T."""
    body = sides[0].data.meta["skeleton"]
    people = sides[0].data.x.shape[4]
    frames = max(side.data.x.shape[2] for side in sides)
    count = sum(len(side.train) for side in sides)
    x = np.zeros((count, 3, frames, sides[0].data.x.shape[3], people), dtype=np.float32)
    row = 0
    for side in sides:
        joints = list(joints_of(body, side.data.meta["skeleton"]))
        kept = min(people, side.data.x.shape[4])
        for part in np.array_split(side.train, max(1, len(side.train) // 256)):
            clips = side.data.x[part][..., joints, :kept]
            x[row : row + len(part), :, : clips.shape[2], :, :kept] = clips
            row += len(part)
    return x


def _record(sides: Sequence[Side]) -> dict[str, Any]:
    """What was trained on: the clips and the array of every side."""
    return {
        side.name: {"clips": len(side.train), "checksum": side.data.meta["checksum"]}
        for side in sides
    }
