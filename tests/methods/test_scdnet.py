from dataclasses import replace

import numpy as np
import pytest
import ranks
import torch
import torch.nn.functional as F

from pstl.backbones.scdnet import Config as EncoderConfig
from pstl.backbones.scdnet import Encoder
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.config import TrainSettings
from pstl.data.loader import present
from pstl.encoding.features import encode_view
from pstl.errors import UserError
from pstl.hub.embed_arrays import embed, import_weights
from pstl.losses.infonce import logits
from pstl.methods import scdnet
from pstl.methods._momentum import Queue, momentum_update
from pstl.ops.streams import STREAMS, convert
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed, encoder_file, optimiser
from pstl.train.checkpoint import read
from tests.official import imported

CPU = torch.device("cpu")
TINY = EncoderConfig(width=16, heads=2, feedforward=16, stem_width=8, dropout=0.0)


def small_method(name="kinect_v2", people=2, stream="joint", encoder=TINY, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    module = scdnet.Config(**{"queue": 32, "projection": 8} | cfg)
    return scdnet.Method(
        module, Encoder(encoder, skeleton, people, 64), Problem(skeleton, people, 64, 10, stream)
    )


def batch(n=6, name="kinect_v2", people=2, frames=120):
    """Walks of `frames` frames, shorter recordings among them; the even clips have one person."""
    x = (
        torch.randn(
            n, 3, frames, load(name).joints, people, generator=torch.Generator().manual_seed(1)
        ).cumsum(2)
        * 0.1
    )
    x[::2, ..., 1:] = 0
    length = torch.linspace(frames // 3, frames, n).long()
    return Batch(x, length, None, present(x))


def step(method, data, rng, optim=None):
    """One step as the training loop makes it. Returns: the losses."""
    losses = method(data, rng)
    losses["loss"].backward()
    (optim or torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.01)).step()
    method.zero_grad(set_to_none=True)
    method.after_step()
    return losses


# --- the released code ----------------------------------------------------------------------------


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


# --- views ----------------------------------------------------------------------------------------


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


# --- momentum, queues, loss -----------------------------------------------------------------------


def test_the_key_network_follows_and_never_learns():
    """Its parameters are 0.999 old + 0.001 query before the update.

    It has no gradient and is not in the optimiser (SCD-Net spec 5, 11).
    """
    method = small_method()
    with torch.no_grad():
        for p in method.key_encoder.parameters():
            p.add_(torch.rand_like(p))
    keys, queries = (
        [p.clone() for p in net.parameters()] for net in (method.key_encoder, method.encoder)
    )
    optim = optimiser.build(
        method, TrainSettings(epochs=1, optimiser="sgd", lr=0.1, weight_decay=1e-4)
    )
    step(method, batch(), torch_generator(0, "test"), optim)
    for key, old, query in zip(method.key_encoder.parameters(), keys, queries, strict=True):
        torch.testing.assert_close(key, 0.999 * old + 0.001 * query, atol=1e-7, rtol=1e-6)
        assert key.grad is None
    trained = {id(p) for group in optim.param_groups for p in group["params"]}
    assert trained == {
        id(p) for part in (method.encoder, method.projectors) for p in part.parameters()
    }
    assert any((q != p).any() for q, p in zip(queries, method.encoder.parameters(), strict=True))


def test_one_call_follows_like_a_loop():
    """The multi-tensor update is the definition for every tensor, buffers left alone."""
    twin, network = (
        torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5)) for _ in range(2)
    )
    network[1].running_mean.add_(1)
    expected = [
        0.9 * a + 0.1 * b for a, b in zip(twin.parameters(), network.parameters(), strict=True)
    ]
    momentum_update(twin, network, 0.9)
    torch.testing.assert_close(list(twin.parameters()), expected)
    assert not twin[1].running_mean.any()


def test_the_key_network_has_its_own_statistics():
    """MoCo's practice in this family: batch-norm buffers are not copied, both networks see their
    own views (SCD-Net spec 5).
    """
    method = small_method()
    step(method, batch(), torch_generator(0, "test"))
    query, key = (
        net.temporal_stem.input_norm.running_mean for net in (method.encoder, method.key_encoder)
    )
    assert key.any()
    assert not torch.allclose(query, key)


def test_the_queue_is_a_ring():
    """Each key lives for size / batch steps: 8192 / 64 = 128 in the paper.

    The oldest goes first (SCD-Net spec 5, 11).
    """
    queue, keys = Queue(8192, 2), torch.arange(130.0)[:, None, None].expand(130, 64, 2)
    torch.testing.assert_close(queue.keys.norm(dim=1), torch.ones(8192))
    for i in range(128):
        assert int(queue.oldest) == 64 * i
        queue.enqueue(keys[i])
    assert int(queue.oldest) == 0
    assert queue.keys[:, 0].tolist() == [i for i in range(128) for _ in range(64)]
    queue.enqueue(keys[128])
    assert queue.keys[:65, 0].tolist() == [128] * 64 + [1]


def test_a_batch_that_does_not_divide_the_queue_wraps():
    """A last short batch, or a small data set, must not break the ring."""
    queue = Queue(5, 1)
    for keys in (torch.arange(3.0), torch.arange(3.0, 6.0), torch.arange(10.0, 22.0)):
        queue.enqueue(keys[:, None])
    assert sorted(queue.keys.flatten().tolist()) == [17, 18, 19, 20, 21]


def test_no_key_is_its_own_negative():
    """Logits come before the enqueueing.

    The step's keys stand in the queues only after it (SCD-Net spec 5).
    """
    method, data = small_method(), batch()
    before = [queue.keys.clone() for queue in method.queues]
    losses = method(data, torch_generator(0, "test"))
    for queue, old in zip(method.queues, before, strict=True):
        assert torch.equal(queue.keys, old)
    losses["loss"].backward()
    method.after_step()
    for queue, old, level in zip(
        method.queues, before, method.key_projectors(torch.zeros(1, 32)), strict=True
    ):
        assert torch.equal(queue.keys[6:], old[6:])
        assert not torch.isclose(queue.keys[:6], old[:6]).all()
        assert queue.keys.shape[1] == level.shape[1]


def test_accumulated_batches_are_one_step():
    """Several batches per optimiser step.

    One momentum update, and every batch's keys reach the queues in order.
    """
    method = small_method()
    old = [p.clone() for p in method.key_projectors.parameters()]
    with torch.no_grad():
        for p in method.projectors.parameters():
            p.add_(1)
    for i in range(2):
        method(batch(), torch_generator(0, "test", i))["loss"].backward()
    for key, before, query in zip(
        method.key_projectors.parameters(), old, method.projectors.parameters(), strict=True
    ):
        torch.testing.assert_close(key, 0.999 * before + 0.001 * query)
    method.after_step()
    assert [int(queue.oldest) for queue in method.queues] == [12, 12, 12]


def test_the_loss_is_the_four_cross_level_terms():
    """t to g, s to g, g to t, g to s, and no term within a level.

    That is the method (SCD-Net spec 5).
    """
    method = small_method()
    query, key = ([F.normalize(torch.randn(6, 8), dim=1) for _ in range(3)] for _ in range(2))
    q_t, q_s, q_g = query
    losses, (queue_t, queue_s, queue_g) = (
        method.contrast(tuple(query), tuple(key)),
        method.negatives(),
    )

    def term(q, k, queue):
        scores = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], dim=1) / 0.2
        return F.cross_entropy(scores, torch.zeros(len(q), dtype=torch.long))

    expected = {
        "t_g": term(q_t, key[2], queue_g), "s_g": term(q_s, key[2], queue_g),
        "g_t": term(q_g, key[0], queue_t), "g_s": term(q_g, key[1], queue_s),
    }  # fmt: skip
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)
    torch.testing.assert_close(losses["loss"], sum(expected.values()))


def test_parameter_counts_are_the_papers():
    """Three projectors 17,570,176, the whole query network 92,017,840 (SCD-Net spec 1)."""
    with torch.device("meta"):
        projectors = scdnet.Projectors(4096, 128)
        encoder = Encoder(EncoderConfig(), load("kinect_v2"), 2, 64)
    counts = [sum(p.numel() for p in module.parameters()) for module in (projectors, encoder)]
    assert counts[0] == 17_570_176
    assert sum(counts) == 92_017_840
    assert [z.shape for z in projectors(torch.zeros(3, 4096, device="meta"))] == [(3, 128)] * 3


@pytest.mark.parametrize(
    ("name", "people", "stream"),
    [("kinect_v1", 1, "motion"), ("kinect_v2", 1, "bone"), ("kinect_v2", 2, "joint")],
)
def test_a_few_steps_lower_the_loss(name, people, stream):
    """Ten steps on a batch teach the network to recognise its clips, on every sensor and stream."""
    # More than ten steps fill: past keys of the same clips are no negatives.
    method = small_method(name, people, stream, queue=512).train()
    optim = optimiser.build(method, TrainSettings(epochs=1, optimiser="adam", lr=3e-3))
    data = batch(8, name, people)
    losses = [
        float(step(method, data, torch_generator(0, "test"), optim)["loss"].detach())
        for _ in range(10)
    ]
    assert losses[-1] < 0.85 * losses[0], losses


def test_other_encoders_and_uneven_cubes_are_refused():
    """The losses need v_t and v_s; half of another encoder's features are neither."""
    skeleton = load("kinect_v2")
    problem = Problem(skeleton, 2, 64, 10, "joint")
    with pytest.raises(UserError, match="set encoder"):
        scdnet.Method(scdnet.Config(), OtherEncoder(OtherConfig(width=2), skeleton, 2, 64), problem)
    with pytest.raises(UserError, match="multiple of cubes"):
        small_method(cubes=15)


def test_a_checkpoint_holds_key_network_and_queues():
    """Resume would otherwise go on with random negatives and a fresh key network."""
    method = small_method()
    step(method, batch(), torch_generator(0, "test"))
    other = small_method()
    other.load_state_dict(method.state_dict())
    ours, theirs = (step(m, batch(), torch_generator(1, "test"))["loss"] for m in (method, other))
    assert torch.equal(ours, theirs)


# --- two processes --------------------------------------------------------------------------------


def two_steps():
    """Two steps in float64; the loss, gradients, statistics and queues."""
    method = small_method(queue=16).double()
    distributed.synchronise_norms(method.sharded())
    data = batch(7)
    mine = distributed.share(torch.arange(7))
    for i in range(2):
        local = Batch(data.x[mine].double(), data.length[mine], None, data.present[mine])
        loss = method(local, torch_generator(0, "test", i))["loss"]
        loss.backward()
        distributed.average_gradients(method.parameters())
        method.after_step()
    gradients = {k: p.grad for k, p in method.named_parameters() if p.requires_grad}
    return {"loss": loss.detach()} | gradients | dict(method.named_buffers())


@pytest.mark.slow
def test_two_ranks_are_one_process(tmp_path):
    """Draws for the whole batch, shared queues, weighted norms across ranks; 7 clips do not divide
    by two.
    """
    ranks.compare(two_steps, tmp_path, atol=1e-6, rtol=1e-5)
