"""SCD-Net beside its released code: features and a step of training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from methods.tiny_scdnet import small_method
from pstl.backbones.scdnet import Config as EncoderConfig
from pstl.encoding.features import encode_view
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed, import_weights
from pstl.losses.infonce import logits
from pstl.ops.streams import STREAMS
from pstl.train import encoder_file
from pstl.train.checkpoint import read
from tests.official import imported

CPU = torch.device("cpu")


@pytest.fixture
def released(shared):
    """The released checkpoint in a Method of ours, and the vectors of one step of it."""
    content = read(shared / "parity/scdnet_official.pth.tar")
    state = content["state_dict"]
    fields, weights = imported("scdnet", content)
    settings = {key: value for key, value in fields["encoder"].items() if key != "name"}
    method = small_method(encoder=EncoderConfig(**settings), queue=64, projection=128).eval()
    method.encoder.load_state_dict(weights)
    as_query = {
        "state_dict": {
            k.replace("encoder_k.", "encoder_q."): v
            for k, v in state.items()
            if k.startswith("encoder_k.")
        }
    }
    method.key_encoder.load_state_dict(imported("scdnet", as_query).weights)
    for projectors, prefix in (
        (method.projectors, "encoder_q."),
        (method.key_projectors, "encoder_k."),
    ):
        for ours, theirs in (("temporal", "t_proj"), ("spatial", "s_proj"), ("both", "i_proj")):
            names = projectors.get_submodule(ours).state_dict()
            projectors.get_submodule(ours).load_state_dict(
                {name: state[f"{prefix}{theirs}.{name}"] for name in names}
            )
    for queue, letter in zip(method.queues, "tsi", strict=True):
        queue.keys.copy_(state[f"{letter}_queue"].T)
    return method, np.load(shared / "parity/scdnet.npz")


def close(ours, theirs):
    """The tolerance of the parity vectors: a hundredth of the spread between clips."""
    return np.abs(ours.detach().numpy() - theirs).max() <= 1e-2 * theirs.std(axis=0).max()


def released_features(path, x, stream="joint"):
    """What an imported encoder gives for clean views, which get no crop of ours before them."""
    card, encoder = encoder_file.load(path)
    with torch.no_grad():
        return encode_view(replace(card, stream=stream), encoder, x)


def test_an_imported_encoder_gives_the_released_features(shared, tmp_path):
    """The vectors' clips are views already; the encoder alone must give their features."""
    vectors = np.load(shared / "parity/scdnet.npz")
    card = import_weights(
        "scdnet", shared / "parity/scdnet_official.pth.tar", tmp_path / "encoder.pt"
    )
    assert (card.people, card.skeleton, card.frames, card.stream) == (2, "kinect_v2", 64, "joint")
    ours = released_features(tmp_path / "encoder.pt", torch.from_numpy(vectors["x"]))
    assert close(ours, vectors["features_joint"])


@pytest.mark.parametrize("frames", [63, 64, 65, 100])
def test_embed_takes_the_clean_view_of_clips_of_any_length(shared, tmp_path, frames):
    """As in the paper's evaluation, then turned into the stream.

    64 frames, which the encoder takes, are a recording like any other.
    """
    import_weights("scdnet", shared / "parity/scdnet_official.pth.tar", tmp_path / "encoder.pt")
    x = torch.from_numpy(np.load(shared / "parity/scdnet.npz")["x"][:2])
    flat = x.permute(0, 1, 3, 4, 2).flatten(1, 3)
    long = (
        F.interpolate(flat, size=frames, mode="linear")
        .view(2, 3, 25, 2, frames)
        .permute(0, 1, 4, 2, 3)
    )
    cut = int(frames * 0.05 / 2)
    centred = long[:, :, cut : frames - cut].permute(0, 1, 3, 4, 2).flatten(1, 3)
    view = (
        F.interpolate(centred, size=64, mode="linear").view(2, 3, 25, 2, 64).permute(0, 1, 4, 2, 3)
    )
    np.save(tmp_path / "x.npy", long.numpy())
    for stream in STREAMS:
        embed(tmp_path / "encoder.pt", tmp_path / "x.npy", tmp_path / "f.npy", stream, [], CPU)
        theirs = released_features(tmp_path / "encoder.pt", view, stream)
        np.testing.assert_allclose(np.load(tmp_path / "f.npy"), theirs, atol=1e-4)


def test_a_step_of_the_released_model(released):
    """Projections, then the momentum update, then keys, then four logits and their loss.

    The objective itself.
    """
    method, vectors = released
    with torch.no_grad():
        query = method.query(torch.from_numpy(vectors["x"]))
        method.momentum_update()
        key = method.key(torch.from_numpy(vectors["k"]))
        losses = method.contrast(query, key)
    for z, name in zip(query, ("zt", "zs", "zi"), strict=True):
        theirs = vectors[name] / np.linalg.norm(vectors[name], axis=1, keepdims=True)
        assert close(z, theirs), name
    (q_t, q_s, q_g), (k_t, k_s, k_g), (queue_t, queue_s, queue_g) = query, key, method.negatives()
    ours = {
        "ti": (q_t, k_g, queue_g),
        "si": (q_s, k_g, queue_g),
        "it": (q_g, k_t, queue_t),
        "is": (q_g, k_s, queue_s),
    }
    for name, parts in ours.items():
        theirs = vectors[f"logits_{name}"]
        assert close(logits(*parts, 0.2), theirs), name
        np.testing.assert_allclose(logits(*parts, 0.2).numpy(), theirs, atol=2e-3)
    assert float(losses["loss"]) == pytest.approx(float(vectors["loss"]), rel=1e-4)


def test_a_file_that_is_no_scdnet_checkpoint_is_refused(shared, tmp_path):
    """A checkpoint of another method: one line, nothing written."""
    with pytest.raises(UserError, match="not a checkpoint of the released scdnet code"):
        import_weights("scdnet", shared / "parity/pstl_official.pt", tmp_path / "encoder.pt")
    assert not list(tmp_path.iterdir())
