"""SkeletonCLR: what it shares with AimCLR, beside definitions written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from methods.tiny_contrast import KINDS, batch, small_method
from pstl.config import TrainSettings
from pstl.methods import skeletonclr
from pstl.ops.streams import STREAMS, convert
from pstl.rng import torch_generator
from pstl.skeletons import load


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_weights_are_the_released_ones(kind: str) -> None:
    """Drawn anew for the key network after the copy, which the released code does, too; with equal
    networks the loss starts elsewhere (AimCLR spec 3).
    """
    method = small_method(kind, projection=32)
    parts = {"encoder": method.key_encoder, "projector": method.key_projector}
    for name, key in parts.items():
        queries = dict(method.get_submodule(name).named_parameters())
        for weight, parameter in key.named_parameters():
            query = queries[weight]
            if parameter.dim() in (2, 4):
                assert float(parameter.std()) == pytest.approx(0.02, rel=0.5)
                assert not torch.isclose(parameter, query).all()
            elif weight.endswith("bias"):
                assert not parameter.any()
            elif "importance" not in weight:  # of a norm
                assert float(parameter.mean()) == pytest.approx(1.0, abs=0.05)
                assert (parameter != 1).all()
            assert not parameter.requires_grad
    torch.testing.assert_close(method.queue.keys.norm(dim=1), torch.ones(32))


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_network_follows_and_its_keys_come_after_the_step(kind: str) -> None:
    """0.999 old + 0.001 query before the optimiser moves it; no key is its own negative."""
    method = small_method(kind)
    old = [p.clone() for p in method.key_encoder.parameters()]
    queries = [p.clone() for p in method.encoder.parameters()]
    before = method.queue.keys.clone()
    method(batch(), torch_generator(0, "test"))["loss"].backward()
    assert torch.equal(method.queue.keys, before)
    weights = [p for p in method.parameters() if p.requires_grad]
    torch.optim.SGD(weights, lr=0.1).step()
    method.after_step()
    for key, was, query in zip(method.key_encoder.parameters(), old, queries, strict=True):
        torch.testing.assert_close(key, 0.999 * was + 0.001 * query, atol=1e-7, rtol=1e-6)
        assert key.grad is None
    assert torch.equal(method.queue.keys[8:], before[8:])
    assert not torch.isclose(method.queue.keys[:8], before[:8]).all(1).any()
    torch.testing.assert_close(method.queue.keys[:8].norm(dim=1), torch.ones(8))


def test_accumulated_batches_are_one_step_of_the_average() -> None:
    """Two batches before a step: one update, and the keys of both in the queue."""
    method = small_method("skeletonclr")
    old = [p.clone() for p in method.key_projector.parameters()]
    for i in range(2):
        method(batch(), torch_generator(0, "test", i))["loss"].backward()
    pairs = zip(method.key_projector.parameters(), old, method.projector.parameters(), strict=True)
    for key, before, query in pairs:
        torch.testing.assert_close(key, 0.999 * before + 0.001 * query)
    method.after_step()
    assert int(method.queue.oldest) == 16


def test_the_loss_is_info_nce_of_the_second_view_among_the_queue() -> None:
    """Written out: the encoder's mean features, the head, unit length, softmax, class 0."""
    method, data = small_method("skeletonclr"), batch()
    rng = torch_generator(0, "test")
    views = [method.view(data.x, rng) for _ in range(2)]
    loss = method(data, torch_generator(0, "test"))["loss"]
    with torch.no_grad():
        q = F.normalize(method.projector(method.encoder(views[0]).clip), dim=1)
        k = F.normalize(method.key_projector(method.key_encoder(views[1]).clip), dim=1)
    scores = torch.cat([(q * k).sum(1, keepdim=True), q @ method.queue.keys.T], 1) / 0.07
    expected = F.cross_entropy(scores, torch.zeros(8, dtype=torch.int64))
    torch.testing.assert_close(loss.detach(), expected, atol=1e-4, rtol=1e-4)


def test_the_loss_starts_near_that_of_no_knowledge() -> None:
    """log(1 + K), whatever the temperature does to it at its mildest (AimCLR spec 10)."""
    method = small_method("skeletonclr", queue=512, projection=64, temperature=10.0)
    loss = method(batch(), torch_generator(0, "test"))["loss"]
    assert float(loss.detach()) == pytest.approx(math.log(513), abs=0.05)


def test_a_normal_view_is_a_crop_and_a_shear_of_each_clip() -> None:
    """Written out for each clip: one window of the mirrored clip, one matrix whose diagonal is 1
    and whose other entries are at most 0.5 (AimCLR spec 5).
    """
    method, x = small_method("skeletonclr"), batch(32).x
    view = method.view(x, torch_generator(0, "test"))
    pad, windows = 20 // 6, set()
    for clip, seen in zip(x, view, strict=True):
        mirrored = torch.cat([clip[:, :pad].flip(1), clip, clip[:, -pad:].flip(1)], 1)
        fits = []
        for start in range(2 * pad + 1):
            window = mirrored[:, start : start + 20].flatten(1)
            solved = torch.linalg.lstsq(window.T, seen.flatten(1).T)
            if torch.allclose(window.T @ solved.solution, seen.flatten(1).T, atol=1e-4):
                fits.append((start, solved.solution))
        assert len(fits) == 1
        start, matrix = fits[0]
        windows.add(start)
        torch.testing.assert_close(matrix.diagonal(), torch.ones(3), atol=1e-3, rtol=0)
        off = matrix - torch.diag(matrix.diagonal())
        assert 0.05 < float(off.abs().max()) <= 0.501
    assert windows == set(range(2 * pad + 1))


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("kind", KINDS)
def test_streams_are_taken_of_the_augmented_view(kind: str, stream: str) -> None:
    """PSTL's order would crop motion, and add noise to it; here noise of positions becomes motion
    (AimCLR spec 2).
    """
    views = []
    for taken in ("joint", stream):
        method, rng = small_method(kind, stream=taken), torch_generator(0, "test")
        extreme = method.extreme_view(batch().x, rng) if kind == "aimclr" else torch.zeros(1)
        views.append((extreme, method.view(batch().x, rng)))
    skeleton = load("kinect_v2")
    torch.testing.assert_close(convert(views[0][1], skeleton, stream), views[1][1])
    if kind == "aimclr":
        torch.testing.assert_close(convert(views[0][0], skeleton, stream), views[1][0])


def test_batches_must_fill_the_queue() -> None:
    """The released code refuses others, too; said of the settings, not by a crash hours later."""
    cfg = skeletonclr.Config(queue=100)
    train = TrainSettings(epochs=1, lr=0.1, batch_size=32)
    said = skeletonclr.Method.mismatch(cfg, train)
    assert said == (
        "settings.queue is 100, expected a multiple of train.batch_size 32; change one of them"
    )
    assert not skeletonclr.Method.mismatch(cfg, train.model_copy(update={"batch_size": 25}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "people", "stream"),
    [("kinect_v1", 1, "motion"), ("kinect_v2", 1, "bone"), ("kinect_v2", 2, "joint")],
)
def test_every_weight_of_the_query_network_learns(
    kind: str, name: str, people: int, stream: str
) -> None:
    """On every body and stream, and no weight of the key network does."""
    method = small_method(kind, name, people, stream)
    losses = method(batch(8, name, people), torch_generator(0, "test"))
    losses["loss"].backward()
    assert all(value.isfinite() for value in losses.values())
    for weight, parameter in method.named_parameters():
        learns = parameter.grad is not None and bool(parameter.grad.any())
        assert learns == (not weight.startswith("key_")), weight
