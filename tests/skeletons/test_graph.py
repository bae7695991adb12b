import numpy as np

from pstl.skeletons import load
from pstl.skeletons.graph import directed_partition, spatial_partition


def test_partition_of_25_joints_is_that_of_the_released_code():
    """The graph decides which joints mix; the counts and values are those of PSTL spec 3, quirk
    included."""
    a = spatial_partition(load("kinect_v2"))
    assert a.shape == (3, 25, 25)
    assert [(subset != 0).sum() for subset in a] == [25, 40, 8]
    outward = {(2, 21): 0, (2, 1): 0.25, (3, 4): 0.5, (5, 6): 1 / 3, (9, 10): 1 / 3} | {
        (21, j): 1 / 3 for j in (2, 3, 5, 9)
    }
    for (source, destination), value in outward.items():
        assert np.isclose(a[2, source - 1, destination - 1], value), (source, destination)


def test_columns_sum_to_one():
    """A joint receives a weighted mean of its neighbourhood, for any skeleton."""
    for name in ("kinect_v1", "kinect_v2"):
        np.testing.assert_allclose(spatial_partition(load(name)).sum((0, 1)), 1, rtol=1e-6)


def test_subsets_are_disjoint_and_cover_the_bones():
    """Every bone counts once in each direction."""
    skeleton = load("kinect_v1")
    used = (spatial_partition(skeleton) != 0).sum(0)
    np.testing.assert_array_equal(used, (skeleton.adjacency + np.eye(20) > 0).astype(int))


def test_directed_partition_sends_children_to_parents_and_back():
    """CTR-GCN starts from this graph; reversed directions would still train, to other numbers
    (SCD-Net spec 4.1, 11)."""
    for name in ("kinect_v1", "kinect_v2"):
        skeleton = load(name)
        own, inward, outward = directed_partition(skeleton)
        np.testing.assert_array_equal(own, np.eye(skeleton.joints))
        children = [
            [c for c, parent in skeleton.edges if parent == j] for j in range(skeleton.joints)
        ]
        for child, parent in skeleton.edges:
            assert inward[parent, child] == 1
            assert outward[child, parent] == np.float32(1 / len(children[parent]))
        assert inward.sum() == len(skeleton.edges)
        assert not inward[:, skeleton.centre].any()  # nobody collects the root,
        assert not outward[skeleton.centre].any()  # and it collects from nobody above
        np.testing.assert_allclose(outward.sum(0), [bool(c) for c in children], rtol=1e-6)
