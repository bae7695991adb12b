"""What a body is: joints, how they hang together, left and right, parts. Everything else is derived from these tables."""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

import numpy as np

from pstl.errors import UserError

NAMES = ("kinect_v2", "kinect_v1", "msr20", "cmu38")


@dataclass(frozen=True)
class Skeleton:
    """One sensor's body model. Joint indices are 0-based.

    names: V joint names.      parents: V indices, the joint a bone points to; the centre is its own parent.
    centre: root of the graph. left_right: pairs (left, right) that a mirror swaps.
    shoulders, hips: (left, right) pairs used to align a view.   spine: (lower, upper) of the trunk.
    parts: named groups of joints that cover the body once.      segments: finer groups, each inside one part, that cover it once, too.
    source: where the tables come from.
    """

    name: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    centre: int
    left_right: tuple[tuple[int, int], ...]
    shoulders: tuple[int, int]
    hips: tuple[int, int]
    spine: tuple[int, int]
    parts: dict[str, tuple[int, ...]]
    segments: dict[str, tuple[int, ...]]
    source: str

    def __post_init__(self) -> None:
        covered = sorted(j for part in self.parts.values() for j in part)
        if covered != list(range(self.joints)) or len(self.parents) != self.joints:
            raise UserError(
                f"skeleton {self.name}: parents and parts must name each of {self.joints} joints once"
            )
        whole = {joint: name for name, part in self.parts.items() for joint in part}
        split = [
            name
            for name, segment in self.segments.items()
            if len({whole.get(joint) for joint in segment}) != 1
        ]
        if split or sorted(j for segment in self.segments.values() for j in segment) != list(
            range(self.joints)
        ):
            raise UserError(
                f"skeleton {self.name}: segments must name each joint once and lie inside one part; across parts: {split}"
            )

    @property
    def joints(self) -> int:
        """V, the number of joints."""
        return len(self.names)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """The V - 1 bones as (child, parent)."""
        return tuple(
            (child, parent) for child, parent in enumerate(self.parents) if child != parent
        )

    @cached_property
    def adjacency(self) -> np.ndarray:
        """(V, V) symmetric 0/1 matrix without self-loops."""
        matrix = np.zeros((self.joints, self.joints), dtype=np.float32)
        for child, parent in self.edges:
            matrix[child, parent] = matrix[parent, child] = 1
        return matrix

    @cached_property
    def degree(self) -> tuple[int, ...]:
        """Number of bones that meet in each joint, self-loops not counted."""
        return tuple(int(d) for d in self.adjacency.sum(0))

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Permutation that swaps left and right joints; applied twice it is the identity."""
        order = list(range(self.joints))
        for left, right in self.left_right:
            order[left], order[right] = right, left
        return tuple(order)


def load(name: str) -> Skeleton:
    """The skeleton table called `name`. Raises: UserError with the known names."""
    if name not in NAMES:
        raise UserError(f"unknown skeleton {name!r}; known: {', '.join(NAMES)}")
    return import_module(f"pstl.skeletons.{name}").SKELETON
