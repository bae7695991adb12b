"""A skeleton as three levels, body, part and joint: who belongs to whom, and how much of a coarse
level's attention a finer one takes."""

from dataclasses import dataclass

import numpy as np

from pstl.skeletons import Skeleton


@dataclass(frozen=True)
class Pyramid:
    """Memberships as index vectors; the regions of the body are the skeleton's parts, the parts of
    a region its segments.

    part_of: (V,), part of each joint.   body_of: (V,), region of each joint.
    body_of_part: (P,), region of each part.
    Consistent: body_of[j] == body_of_part[part_of[j]].
    """

    part_of: np.ndarray
    body_of: np.ndarray
    body_of_part: np.ndarray

    @property
    def body_to_part(self) -> float:
        """Weight of the body's attention in that of its parts."""
        return largest_share(self.body_of_part)

    @property
    def part_to_joint(self) -> float:
        """Weight of a part's attention in that of its joints."""
        return largest_share(self.part_of)

    @property
    def body_to_joint(self) -> float:
        """Weight of the body's attention in that of its joints."""
        return largest_share(self.body_of)


def build(skeleton: Skeleton) -> Pyramid:
    """The pyramid of one skeleton. Source: PSP code (PSP spec 4)."""
    part_of, body_of = (
        membership(groups, skeleton.joints) for groups in (skeleton.segments, skeleton.parts)
    )
    first_joint = [segment[0] for segment in skeleton.segments.values()]
    return Pyramid(part_of, body_of, body_of[first_joint])


def membership(groups: dict[str, tuple[int, ...]], joints: int) -> np.ndarray:
    """Number of each joint's group, groups counted in the order of the table.

    Returns: (joints,) int64.
    """
    group_of = np.full(joints, -1, dtype=np.int64)
    for number, members in enumerate(groups.values()):
        group_of[list(members)] = number
    return group_of


def largest_share(group_of: np.ndarray) -> float:
    """Size of the largest group over the number of nodes: PSP's weight of a coarse map (PSP spec
    5).

    The released code has the numbers 0.2, 0.12 and 0.24 and writes them beside it as 2/10, 3/25 and
    6/25.

    >>> largest_share(np.array([0, 0, 1, 1, 1]))
    0.6
    """
    return float(np.bincount(group_of).max() / len(group_of))
