"""Adjacency partitions of a skeleton for graph convolutions."""

import numpy as np

from pstl.skeletons import Skeleton


def spatial_partition(skeleton: Skeleton) -> np.ndarray:
    """The three-subset "spatial" partition with one hop, column-normalised: own joint, farther or
    equal, nearer the centre.

    Returns: (3, V, V) float32, entry [k, source, destination]; the columns of the sum over k add up
    to 1.
    Source: ST-GCN as used by PSTL (PSTL spec 3), max_hop = 1.

    QUIRK(PSTL spec 3): hops to the centre are known up to 1 only, and two unknown distances count
    as equal, so nearly all neighbours fall into subset 1; subset 2 holds only edges that leave the
    centre or one of its neighbours.
    """
    joints = skeleton.joints
    linked = skeleton.adjacency + np.eye(joints, dtype=np.float32)
    normal = linked / linked.sum(axis=0, keepdims=True)
    hops = np.where(skeleton.adjacency[skeleton.centre] > 0, 1.0, np.inf)
    hops[skeleton.centre] = 0.0
    outward = hops[:, None] < hops[None, :]
    itself = np.eye(joints, dtype=bool)
    subsets = [
        np.where(itself, normal, 0),
        np.where(~itself & ~outward, normal, 0),
        np.where(~itself & outward, normal, 0),
    ]
    return np.stack(subsets).astype(np.float32)


def directed_partition(skeleton: Skeleton) -> np.ndarray:
    """Three subsets: a joint itself, its children (plain sum), its parent (shared among the
    parent's children).

    Returns: (3, V, V) float32, entry [k, receiver, source]; columns of subsets 1 and 2 add up to 1,
    or to 0 where there is nobody.
    Source: CTR-GCN as used by SCD-Net (SCD-Net spec 4.1): entry 1 at (parent, child), 1 / (number
    of children) at (child, parent).
    """
    joints = skeleton.joints
    inward = np.zeros((joints, joints), dtype=np.float32)
    for child, parent in skeleton.edges:
        inward[parent, child] = 1
    children = inward.sum(axis=1, keepdims=True)  # of each parent
    return np.stack(
        [np.eye(joints, dtype=np.float32), inward, (inward / np.maximum(children, 1)).T]
    )
