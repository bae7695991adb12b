import numpy as np

from pstl.data.recipes import metres300
from pstl.records import Clip
from pstl.skeletons import load


def made(*xyz, people=2, name="kinect_v2"):
    return metres300.RECIPE.apply(
        [Clip(f"clip{i}", 0, part) for i, part in enumerate(xyz)],
        load(name),
        people,
        metres300.RECIPE.Config(),
    )


def test_coordinates_are_the_sensors():
    """Hi-TRS shears and scales about the camera: anything but raw metres would be another
    augmentation (Hi-TRS spec 1.1)."""
    rng = np.random.default_rng(0)
    short, long = (rng.normal(size=(t, 25, m, 3)).astype(np.float32) for t, m in ((12, 1), (30, 3)))
    x, length = made(short, long)
    assert length.tolist() == [12, 30]
    np.testing.assert_array_equal(x[0, :, :12, :, 0], short[:, :, 0].transpose(2, 0, 1))
    np.testing.assert_array_equal(
        x[1], long[:, :, :2].transpose(3, 0, 1, 2)
    )  # the first two slots as they stand
    assert not x[0, :, 12:].any()
    assert not x[0, ..., 1].any()


def test_longer_recordings_lose_their_end():
    """The released arrays have 300 frames; one-frame clips exist too."""
    xyz = np.random.default_rng(0).normal(size=(320, 20, 1, 3)).astype(np.float32)
    x, length = made(xyz, xyz[:1], people=1, name="kinect_v1")
    assert length.tolist() == [300, 1]
    np.testing.assert_array_equal(x[0, ..., 0], xyz[:300, :, 0].transpose(2, 0, 1))
