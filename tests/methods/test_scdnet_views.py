"""What SCD-Net's views are made of, and that its numbers are the paper's."""

import pytest
import torch

from methods.tiny_scdnet import batch, small_method
from pstl.methods import scdnet
from pstl.ops.streams import STREAMS, convert
from pstl.records import Batch
from pstl.rng import torch_generator
from pstl.skeletons import load


def test_a_view_is_masked_as_often_as_the_paper_says():
    """Coins of 0.5 for joints and for frames, independent.

    A quarter of the views is whole (SCD-Net spec 3).
    """
    n = 2500
    x = torch.ones(n, 3, 64, 25, 2)
    view = small_method(shear_amplitude=0.0, rotation_deg=0.0, small_rotation_deg=0.0).view(
        Batch(x, torch.full((n,), 64)), torch_generator(0, "test")
    )
    zero = view == 0
    joints, frames = zero.all(dim=(1, 2, 4)), zero.all(dim=(1, 3, 4))
    assert set(joints.sum(1).tolist()) == {0, 8}
    assert set(frames.sum(1).tolist()) == {0, 24}
    masked_joints, masked_frames = joints.any(1), frames.any(1)
    for event, share in (
        (masked_joints, 0.5),
        (masked_frames, 0.5),
        (~masked_joints & ~masked_frames, 0.25),
    ):
        assert float(event.float().mean()) == pytest.approx(share, abs=0.03)
    assert torch.equal(
        zero, (joints[:, None, None, :, None] | frames[:, None, :, None, None]).expand_as(zero)
    )
    assert joints[masked_joints].float().mean(0)[20] == pytest.approx(0.593, abs=0.04)  # the hub


def test_masks_scale_with_the_skeleton():
    """The same share of a 20-joint body is hidden: 6 joints."""
    n = 64
    method = small_method(
        "kinect_v1", 1, shear_amplitude=0.0, rotation_deg=0.0, small_rotation_deg=0.0
    )
    view = method.view(
        Batch(torch.ones(n, 3, 64, 20, 1), torch.full((n,), 64)), torch_generator(0, "test")
    )
    assert set((view == 0).all(dim=(1, 2, 4)).sum(1).tolist()) == {0, 6}


def test_unaugmented_views_are_crops_then_streams_then_masks():
    """Motion of masked frames is zero, not the jump to a masked neighbour.

    The released order (SCD-Net spec 3).
    """
    data = batch(frames=64)._replace(length=torch.full((6,), 64))  # 64 frames are never cropped
    for stream in STREAMS:
        method = small_method(
            stream=stream, shear_amplitude=0.0, rotation_deg=0.0, small_rotation_deg=0.0
        )
        view, whole = (
            method.view(data, torch_generator(3, "test")),
            convert(data.x, load("kinect_v2"), stream),
        )
        mirrored = whole[:, :, :, list(load("kinect_v2").mirror)]
        as_it_was, swapped = (
            (view == 0) | torch.isclose(view, other) for other in (whole, mirrored)
        )
        assert (as_it_was.flatten(1).all(1) | swapped.flatten(1).all(1)).all()
        assert (view != 0).any()


def test_absent_people_stay_absent_and_views_differ():
    """What batch.present promises must hold in every view.

    And two views of a clip are two draws.
    """
    method, data, rng = small_method(), batch(), torch_generator(0, "test")
    one, two = method.view(data, rng), method.view(data, rng)
    assert not one[::2, ..., 1].any()
    assert (one - two).flatten(1).any(1).all()


def test_views_need_no_more_frames_than_the_recording():
    """Whatever lies beyond a clip's length, the recipe's padding, must not reach the network."""
    data = batch()
    poisoned = data.x.clone()
    for clip, length in zip(poisoned, data.length, strict=True):
        clip[:, length:] = float("nan")
    ours = [
        small_method().view(data._replace(x=x), torch_generator(0, "test"))
        for x in (data.x, poisoned)
    ]
    assert torch.equal(*ours)
    assert small_method().clean(scdnet.Config(), poisoned, data.length).isfinite().all()


def test_crops_of_fine_tuning_are_those_of_the_whole_batch(monkeypatch):
    """Two processes draw for each other's clips, too; else they would crop alike, and otherwise
    than one process."""
    data, cfg = batch(), scdnet.Config()
    together, _ = small_method().augmented(cfg, data.x, data.length, torch_generator(0, "test"))
    for rows in (slice(0, 4), slice(4, 6)):
        monkeypatch.setattr(scdnet, "place", lambda x, rows=rows: (rows.start, 6))
        view, _ = small_method().augmented(
            cfg, data.x[rows], data.length[rows], torch_generator(0, "test")
        )
        assert torch.equal(view, together[rows])
