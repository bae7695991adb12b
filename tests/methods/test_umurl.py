"""UmURL's loss, its gradient, and what it is the same on: processes, checkpoints, bodies."""

import pytest
import ranks
import torch

from methods.tiny_umurl import FRAMES, batch, small_method
from pstl.backbones.stgcn import Config as OtherConfig
from pstl.backbones.stgcn import Encoder as OtherEncoder
from pstl.backbones.umurl import Config as EncoderConfig
from pstl.backbones.umurl import Encoder
from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.methods import umurl
from pstl.methods.umurl import Views
from pstl.ops.streams import STREAMS
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.train import distributed, optimiser, precision


def plain_regularisation(z):
    """5 of the hinge and the squares off the diagonal of the covariance, over D."""
    covariance = torch.cov(z.T)
    off = covariance - torch.diag(torch.diag(covariance))
    hinge = torch.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean()
    return 5 * hinge + (off**2).sum() / z.shape[1]


def plain_loss(method, views):
    """UmURL spec 3 in its own order, one view after the other, every product by itself."""
    encoder, projectors = method.encoder, method.projectors
    fused_tokens = encoder.fuse(*(encoder.embed(views[3], stream) for stream in STREAMS))
    together = encoder.encode(fused_tokens).clip
    alone, joined = [], []
    for stream, view in zip(STREAMS, views[:3], strict=True):
        joined.append(projectors[stream](together))
        alone.append(projectors[stream](encoder.encode(encoder.embed(view, stream)).clip))
    centre = (alone[0] + alone[1] + alone[2]) / 3
    intra = sum(((a - b) ** 2).mean() for a, b in zip(alone, joined, strict=True))
    inter = sum(((a - centre) ** 2).mean() for a in alone)
    regularisation = sum(plain_regularisation(z) for z in (*alone, *joined))
    return 5 * (intra + inter) + regularisation


def test_loss_and_gradients_are_those_of_the_plain_form():
    """Views that pass a layer together, and small matrices, change nothing but the speed."""
    ours, theirs = small_method().double(), small_method().double()
    data = batch()._replace(x=batch().x.double())
    rng = torch_generator(0, "test")
    views = [theirs.view(data, rng) for _ in range(4)]
    loss = ours(data, torch_generator(0, "test"))["loss"]
    expected = plain_loss(theirs, views)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=lambda m, name=name: f"{name}: {m}")
    for (name, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=lambda m, name=name: f"{name}: {m}")


def test_each_modality_is_drawn_to_the_centre_by_its_distance():
    """2 / (B D) times it. The centre has a gradient as in the released code, but what it adds
    cancels: the distances to a mean sum to zero (UmURL spec 3).
    """
    method = small_method()
    alone = Views(*(torch.randn(5, 24, requires_grad=True) for _ in STREAMS))
    fixed = Views(*(z.detach() for z in alone))
    gradients = torch.autograd.grad(method.losses(alone, fixed)["inter"], alone)
    centre = sum(fixed) / 3
    for gradient, z in zip(gradients, fixed, strict=True):
        torch.testing.assert_close(gradient, 2 * (z - centre) / z.numel())


def test_the_loss_is_zero_only_where_all_agree_and_nothing_collapses():
    """What the method asks for, and each way to miss it (UmURL spec 8)."""
    method = small_method()
    # Orthogonal columns of variance 1.44: no covariance, no hinge.
    spread = torch.linalg.qr(torch.randn(40, 25) - 0).Q[:, 1:]
    spread = spread - spread.mean(0)
    spread = torch.linalg.qr(spread).Q * 1.2 * 39**0.5
    good = Views(spread, spread, spread)
    assert float(method.losses(good, good)["loss"]) == pytest.approx(0, abs=1e-3)
    other = Views(spread, spread, spread.flip(0))
    assert float(method.losses(other, good)["inter"]) > 0.1
    assert float(method.losses(good, other)["intra"]) > 0.1
    small = Views(*(z / 4 for z in good))
    assert float(method.losses(small, small)["loss"]) > 1


def test_parameter_counts_are_the_released_ones():
    """72,448,000 with three projectors, whose layers have biases (UmURL spec 2)."""
    with torch.device("meta"):
        skeleton = load("kinect_v2")
        encoder = Encoder(EncoderConfig(), skeleton, 2, 64)
        method = umurl.Method(umurl.Config(), encoder, Problem(skeleton, 2, 64, 60, "other"))
    assert sum(p.numel() for p in method.parameters()) == 72_448_000


@pytest.mark.parametrize(
    ("name", "people"), [("kinect_v2", 2), ("kinect_v2", 1), ("kinect_v1", 2), ("kinect_v1", 1)]
)
def test_a_few_steps_lower_the_loss(name, people):
    """Ten steps on one batch, whatever the body."""
    method = small_method(name, people).train()
    optim = optimiser.build(method, TrainSettings(epochs=1, optimiser="adam", lr=3e-3))
    data = batch(12, name, people)
    losses = []
    for _ in range(10):
        loss = method(data, torch_generator(0, "test"))["loss"]
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.85 * losses[0], losses


def test_what_is_evaluated_changes_nothing_of_training():
    """Joint features of a run are those of the very weights that its fused features are of."""
    states = []
    for features in ("fused", "motion"):
        method = small_method()
        method.encoder.cfg = EncoderConfig(width=16, features=features)
        method(batch(), torch_generator(0, "test"))["loss"].backward()
        states.append([p.grad for p in method.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_what_does_not_fit_is_refused():
    """Another encoder has no embeddings; one stream alone is not what it learns from."""
    skeleton = load("kinect_v2")
    problem = Problem(skeleton, 2, FRAMES, 10, "other")
    other = OtherEncoder(OtherConfig(width=2), skeleton, 2, FRAMES)
    with pytest.raises(UserError, match=r"set encoder: \{name: umurl\}"):
        umurl.Method(umurl.Config(), other, problem)
    encoder = Encoder(EncoderConfig(width=16), skeleton, 2, FRAMES)
    alone = Problem(skeleton, 2, FRAMES, 10, "joint")
    with pytest.raises(UserError, match=r"no stream 'joint'; set streams: \[other\]"):
        umurl.Method(umurl.Config(), encoder, alone)
    with pytest.raises(UserError, match="a batch of one clip has no variance"):
        small_method()(batch(1), torch_generator(0, "test"))


def test_bf16_trains_the_encoder():
    """All its parts run in bf16, though its own forward is not what is trained; weights and loss
    stay float32.
    """
    exact, rounded = small_method(width=64), small_method(width=64)
    dtypes = []
    precision.use_bf16(rounded)
    for module in rounded.encoder.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda module, given, y: dtypes.append(y.dtype))
    losses = [
        method(batch(), torch_generator(0, "test"))["loss"].detach() for method in (exact, rounded)
    ]
    assert set(dtypes) == {torch.bfloat16}
    assert losses[1].dtype == torch.float32
    assert float(losses[1]) == pytest.approx(float(losses[0]), rel=0.05)
    assert {p.dtype for p in rounded.parameters()} == {torch.float32}


def two_steps():
    """Two steps in float64; the loss, gradients and statistics."""
    method = small_method().double()
    distributed.synchronise_norms(method.sharded())
    data = batch(7)
    mine = distributed.share(torch.arange(7))
    for i in range(2):
        local = Batch(data.x[mine].double(), data.length[mine])
        loss = method(local, torch_generator(0, "test", i))["loss"]
        loss.backward()
        distributed.average_gradients(method.parameters())
    gradients = {name: p.grad for name, p in method.named_parameters()}
    return {"loss": loss.detach()} | gradients | dict(method.named_buffers())


@pytest.mark.slow
def test_two_ranks_are_one_process(tmp_path):
    """Views, variances and norms are of the whole batch; 7 clips do not divide by two."""
    ranks.compare(two_steps, tmp_path, atol=1e-6, rtol=1e-5)
