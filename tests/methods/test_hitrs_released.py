"""Hi-TRS beside its released code: features, sizes, files."""

import numpy as np
import pytest
import torch

from methods.tiny_hitrs import small_method
from pstl.backbones.hitrs import Config as EncoderConfig
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed, import_weights
from pstl.ops import windows
from pstl.train.checkpoint import read
from tests.official import imported

CPU = torch.device("cpu")


def test_embed_gives_the_released_features(shared, tmp_path):
    """What a user of the authors' weights gets, through the commands."""
    vectors = np.load(shared / "parity/hitrs.npz")
    np.save(tmp_path / "x.npy", vectors["x"])
    card = import_weights("hitrs", shared / "parity/hitrs_official.pt", tmp_path / "encoder.pt")
    assert (card.people, card.skeleton, card.stream, card.recipe["name"]) == (
        2,
        "kinect_v2",
        "joint",
        "metres300",
    )
    embed(tmp_path / "encoder.pt", tmp_path / "x.npy", tmp_path / "f.npy", None, [], CPU)
    ours = np.load(tmp_path / "f.npy")
    assert (
        np.abs(ours - vectors["features_joint"]).max()
        <= 1e-4 * vectors["features_joint"].std(axis=0).max()
    )


def test_clip_tokens_and_pose_head_of_the_released_model(shared):
    """Levels below the video, absent people included, and the head that restores masked joints."""
    content, vectors = (
        read(shared / "parity/hitrs_official.pt"),
        np.load(shared / "parity/hitrs.npz"),
    )
    fields, weights = imported("hitrs", content)
    settings = {key: value for key, value in fields["encoder"].items() if key != "name"}
    method = small_method(encoder=EncoderConfig(**settings)).eval()
    method.encoder.load_state_dict(weights)
    method.pose_head.load_state_dict(
        {name: content[f"s_pose_reg.{name}"] for name in ("weight", "bias")}
    )
    x = torch.from_numpy(vectors["x"]).permute(0, 4, 2, 3, 1).flatten(0, 1)  # (8, T, V, 3) bodies
    length = torch.full((8,), 64)
    rows = method.encoder.clip_rows(length, windows.pack(length).start, 8 * 64)
    with torch.no_grad():
        joints = method.encoder.encode_frames(x.flatten(0, 1))
        tokens = method.encoder.encode_clips(joints, rows).view(4, 2, 10, -1)
        pose = method.pose_head(joints[rows]).view(8, 10, 7, 25, 3)[:2]
    assert (
        np.abs(tokens.numpy() - vectors["clip_features"]).max()
        <= 1e-4 * vectors["clip_features"].std(axis=0).max()
    )
    assert (
        np.abs(pose.numpy() - vectors["pose"]).max()
        <= 1e-4 * vectors["pose"].std(axis=(0, 1, 2)).max()
    )


def test_a_file_that_is_no_hitrs_checkpoint_is_refused(shared, tmp_path):
    """A checkpoint of another method: one line, nothing written."""
    with pytest.raises(UserError, match="not a checkpoint of the released hitrs code"):
        import_weights("hitrs", shared / "parity/pstl_official.pt", tmp_path / "encoder.pt")
    assert not list(tmp_path.iterdir())


def test_parameter_counts_are_the_papers():
    """7,051,143 in all, heads included (Hi-TRS spec 2)."""
    with torch.device("meta"):
        method = small_method(encoder=EncoderConfig())
    heads = {
        name: sum(p.numel() for p in getattr(method, f"{name}_head").parameters())
        for name in ("pose", "clip", "order", "last")
    }
    levels = {
        name: sum(p.numel() for p in getattr(method.encoder, f"{name}_level").parameters())
        for name in ("frame", "clip", "video")
    }
    assert levels["frame"] + heads["pose"] == 891_395
    assert levels["clip"] + heads["clip"] == 1_852_290
    assert levels["video"] + heads["order"] + heads["last"] == 4_307_458
    assert sum(p.numel() for p in method.parameters()) == 7_051_143
