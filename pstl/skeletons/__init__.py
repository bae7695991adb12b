"""What a body is: joints, how they hang together, left and right, parts.

Every other file here that is not machinery is one body: its name is the file's, its table
`SKELETON`. Everything else is derived from these tables.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pkgutil import iter_modules

import numpy as np

from pstl.errors import UserError, import_plugin

MACHINERY = ("graph", "joint_names", "mapping", "pyramid")


@dataclass(frozen=True)
class Skeleton:
    """One sensor's body model. Joint indices are 0-based.

    names: V joint names.
    parents: V indices, the joint a bone points to; the centre is its own parent.
    centre: root of the graph.   left_right: pairs (left, right) that a mirror swaps.
    shoulders, hips: (left, right) pairs used to align a view.
    spine: (lower, upper) of the trunk.
    parts: named groups of joints that cover the body once.
    segments: finer groups, each inside one part, that cover it once, too.
    source: where the tables come from.
    derived: joints that files of this body lack, the last of `names` -> groups of the names of
        joints that files have: it is the mean of the first group that is all there.
    called: what files and papers call a joint -> its name here, where the two differ.
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
    derived: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises: UserError for a table that is no tree, or groups that do not cover it once."""
        self._check_groups()
        self._check_names()

    def _check_groups(self) -> None:
        everything, name = list(range(self.joints)), f"skeleton {self.name}"
        if _joints_of(self.parts) != everything or len(self.parents) != self.joints:
            raise UserError(
                f"{name}: parents and parts must name each of {self.joints} joints once"
            )
        if not self._hangs_together():
            raise UserError(f"{name}: following parents must lead from every joint to the centre")
        part_of: dict[int, str] = {}
        for part, joints in self.parts.items():
            part_of |= dict.fromkeys(joints, part)
        across = []
        for segment, joints in self.segments.items():
            if len({part_of.get(joint) for joint in joints}) != 1:
                across.append(segment)
        if across or _joints_of(self.segments) != everything:
            rule = "segments must name each joint once and lie inside one part"
            raise UserError(f"{name}: {rule}; across parts: {across}")

    def _check_names(self) -> None:
        if self.names[self.recorded :] != tuple(self.derived):
            last = f"the last names must be those of `derived`: {', '.join(self.derived)}"
            raise UserError(f"skeleton {self.name}: {last}")
        sources = chain.from_iterable(chain.from_iterable(self.derived.values()))
        strangers = set(sources) - set(self.names[: self.recorded])
        strangers |= set(self.called.values()) - set(self.names)
        if strangers:
            message = "derived and called name joints that it does not have"
            raise UserError(f"skeleton {self.name}: {message}: {', '.join(sorted(strangers))}")

    def _hangs_together(self) -> bool:
        """Whether every joint is reached from the centre, its own parent."""
        if any(not 0 <= parent < self.joints for parent in self.parents):
            return False
        joints = list(range(self.joints))
        for _ in range(self.joints):
            joints = [self.parents[joint] for joint in joints]
        return set(joints) == {self.centre}

    @property
    def joints(self) -> int:
        """V, the number of joints, derived ones included."""
        return len(self.names)

    @property
    def recorded(self) -> int:
        """How many joints a file of this body holds: the first of them."""
        return len(self.names) - len(self.derived)

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


def names() -> tuple[str, ...]:
    """The bodies there are: files of this folder."""
    files = sorted(module.name for module in iter_modules(__path__))
    return tuple(name for name in files if name not in MACHINERY and not name.startswith("_"))


def load(name: str) -> Skeleton:
    """The body called `name`.

    Raises: UserError with the known names, or if the file of that name has no table of it.
    """
    if name not in names():
        raise UserError(f"unknown skeleton {name!r}; known: {', '.join(names())}")
    skeleton = vars(import_plugin(f"pstl.skeletons.{name}")).get("SKELETON")
    if not isinstance(skeleton, Skeleton) or skeleton.name != name:
        expected = f"expected SKELETON = Skeleton(name={name!r}, ...)"
        raise UserError(f"pstl/skeletons/{name}.py: SKELETON is {skeleton!r}, {expected}")
    return skeleton


def check_tables() -> None:
    """Raises: UserError naming the first file without a sound table."""
    for name in names():
        load(name)


def _joints_of(groups: dict[str, tuple[int, ...]]) -> list[int]:
    """All joints of all groups, sorted."""
    return sorted(chain.from_iterable(groups.values()))
