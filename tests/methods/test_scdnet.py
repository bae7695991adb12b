import pytest
import ranks
import torch
import torch.nn.functional as F

from methods.tiny_scdnet import batch, small_method
from pstl.backbones.scdnet import Config as EncoderConfig
from pstl.backbones.scdnet import Encoder
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.methods import scdnet
from pstl.methods._momentum import Queue, momentum_update
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed, optimiser


def step(method, data, rng, optim=None):
    """One step as the training loop makes it. Returns: the losses."""
    losses = method(data, rng)
    losses["loss"].backward()
    (optim or torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.01)).step()
    method.zero_grad(set_to_none=True)
    method.after_step()
    return losses


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
