"""Windows of recordings: every feature row must be about the frame it is said to be about, whatever
recipe and method do to time.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pstl.encoding import windows as sliding
from pstl.records import Clip, Recording
from pstl.registry import load as load_plugin
from pstl.skeletons import load
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

SKELETON = load("kinect_v1")
J = SKELETON.joints


def card(recipe="resize50", method="raw", frames=50, settings=None):
    return EncoderCard(
        method, settings or {}, {"name": "raw"}, {"name": recipe}, "kinect_v1", 1, frames, "joint"
    )


def recording(frames=40, actions=(), seed=0):
    """A body whose left hand rises by a centimetre a frame and does nothing else, so that its
    height tells the frame.
    """
    body = np.random.default_rng(seed).normal(size=(J, 3))
    xyz = np.broadcast_to(body, (frames, J, 3)).astype(np.float32).copy()
    xyz[:, 7] = xyz[0, SKELETON.centre]
    xyz[:, 7, 1] += 0.01 * np.arange(1, frames + 1)
    return Recording(
        Clip("r", -1, xyz[:, :, None], subject=1), np.arange(frames) * 2.0, tuple(actions)
    )


@pytest.mark.parametrize(
    ("recipe", "method", "frames"),
    [("resize50", "raw", 50), ("spine300", "raw", 40), ("spine300", "scdnet", 64)],
)
def test_rows_know_their_frame(recipe, method, frames):
    """Half a row of error moves every boundary of every interval.

    The hand's height is a clock no code of the task can see.
    """
    made = card(recipe, method, frames)
    encoder = encoder_file.build(made)
    windows = sliding.cut([recording(40)], 40, 8, made, "kinect_v1", 1)
    x, length = torch.from_numpy(windows.data.x), torch.from_numpy(windows.data.length)
    rows = sliding.encode(made, encoder, x, length).frames
    at = sliding.row_times(made, encoder, 40, x.shape[2], rows.shape[1])
    hand = rows.view(len(rows), rows.shape[1], 3, J, 1)[0, :, :, 7, 0]
    clock = (
        hand.norm(dim=1) / 0.01 - 1
    )  # distance from the centre joint, which recipes put at the origin
    if (
        recipe == "spine300"
        # the spine is the origin: the hand moves along a line, so steps are compared from its first
        # place
    ):
        clock = (hand - hand[0]).norm(dim=1) / 0.01 + at[0]
    torch.testing.assert_close(at, clock, atol=0.02, rtol=0)


def test_windows_carry_the_labels_of_their_frames():
    """Labels shifted against coordinates would train a detector that is always late."""
    made = card()
    whole = recording(30, actions=[(3, 10.0, 20.0)])  # times are twice the frames: frames 5 to 10
    windows = sliding.cut([whole, recording(6, seed=1)], 12, 5, made, "kinect_v1", 1)
    assert windows.start.tolist() == [0, 5, 10, 15, 18, 0]
    assert windows.recording.tolist() == [0, 0, 0, 0, 0, 1]
    labels = np.zeros(30, int)
    labels[5:11] = 4
    for i in range(5):
        np.testing.assert_array_equal(
            windows.data.y[i], labels[windows.start[i] : windows.start[i] + 12]
        )
    assert windows.data.x.shape == (6, 3, 50, J, 1)
    # The short one stands still at its end: its last frames show its last pose.
    np.testing.assert_allclose(windows.data.x[5, :, -1], windows.data.x[5, :, -10], atol=1e-6)


def test_a_window_is_seen_as_the_clip_it_is():
    """A window and the same frames as a clip of their own must give the same array, or pre-training
    saw something else.
    """
    made, whole = card(), recording(30)
    windows = sliding.cut([whole], 12, 6, made, "kinect_v1", 1)
    clip = Clip("c", 0, whole.clip.xyz[6:18])
    np.testing.assert_array_equal(
        windows.data.x[1], sliding.as_array([clip], made, "kinect_v1", 1).x[0]
    )


VIEW50 = {"name": "view50", "resample": "resize", "span": "metres", "up": "shoulders"}
# Recipe, a small encoder, and how far off its rows may seem, in frames. PSP's attention maps are
# means over all frames, so that every row
# knows a little of every moment.
METHODS = {
    "pstl": ("resize50", {"name": "stgcn", "width": 8}, 3.0),
    "scdnet": (
        "spine300",
        {"name": "scdnet", "width": 16, "feedforward": 16, "heads": 2, "stem_width": 8},
        3.0,
    ),
    "hitrs": (
        "metres300",
        {"name": "hitrs", "width": 8, "heads": 2, "head_width": 8, "layers": 2},
        3.0,
    ),
    "psp": ("scaled300", {"name": "dsta", "width": 16}, 8.0),
    "simclr": ("resize50", {"name": "tcn", "width": 16}, 3.0),
    "mamp": ("ctr300", {"name": "vit", "width": 16, "depth": 1, "heads": 2}, 3.0),
    # Both directions bring what was seen along: a row knows what is before and after it.
    "predict_cluster": (VIEW50, {"name": "bigru", "width": 16, "layers": 1}, 3.0),
}


@pytest.mark.parametrize("method", METHODS)
def test_rows_of_every_method_are_about_their_frames(method):
    """Detection reads rows of any encoder: what happens at one moment must show in the rows around
    it.
    """
    recipe, encoder_settings, tolerance = METHODS[method]
    module = load_plugin("methods", method)
    still = np.broadcast_to(
        np.random.default_rng(0).normal(size=(J, 3)), (64, J, 3)
    ) + np.random.default_rng(1).normal(0, 0.02, (64, J, 3))
    clips = [Clip("still", -1, still[:, :, None].astype(np.float32))]
    for moment in (12, 32, 50):
        moved = still.copy()
        moved[moment - 2 : moment + 3, [6, 7, 10, 11]] += 0.3
        clips.append(Clip(f"moved at {moment}", -1, moved[:, :, None].astype(np.float32)))
    recipe = recipe if isinstance(recipe, dict) else {"name": recipe}
    made = EncoderCard(method, {}, encoder_settings, recipe, "kinect_v1", 1, 64, "joint")
    data = sliding.as_array(clips, made, "kinect_v1", 1)
    made = replace(made, frames=module.Method.frames(module.Config(), data.x.shape[2]))
    change = torch.zeros(1)
    for seed in range(
        8
    ):  # random weights blur single networks: what all of them have in common is counted
        torch.manual_seed(seed)
        encoder = encoder_file.build(made).eval()
        with torch.inference_mode():
            rows = sliding.encode(
                made, encoder, torch.from_numpy(data.x), torch.from_numpy(data.length)
            ).frames
        moved_by = (rows[1:] - rows[:1]).norm(dim=2)
        change = change + moved_by / moved_by.sum()
    at = sliding.row_times(made, encoder, 64, data.x.shape[2], rows.shape[1])
    assert len(at) == rows.shape[1]
    above = (change - change.median(1, keepdim=True).values).clamp(min=0)
    centre = (above * at).sum(1) / above.sum(1)
    np.testing.assert_allclose(centre.numpy(), [12, 32, 50], atol=tolerance)


def test_rows_of_a_recipe_that_cuts_are_about_the_frames_it_keeps():
    """Spread over the whole window, rows of the first 50 frames would be late by a quarter."""
    made = EncoderCard(
        "predict_cluster",
        {},
        {"name": "bigru", "width": 4},
        {"name": "view50"},
        "kinect_v1",
        1,
        50,
        "joint",
    )
    at = sliding.row_times(made, encoder_file.build(made), 64, 50, 50)
    torch.testing.assert_close(at, torch.arange(50, dtype=torch.float32), atol=1e-4, rtol=0)
