import numpy as np
import torch
import torch.nn.functional as F

from pstl import config
from pstl.encoding.feature_file import FeatureSet
from pstl.rng import torch_generator
from pstl.tasks import linear

CPU = torch.device("cpu")


def features(n=60, width=6):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    x = (rng.normal(size=(n, width)) + y[:, None]).astype(np.float32)
    return FeatureSet(
        x[:40], x[40:], y[:40], y[40:], np.ones(20, dtype=bool), {"classes": ["a", "b", "c"]}
    )


def by_hand(data, initial, epochs, batch_size, update, bias=None, whole=False):
    """A linear probe without optimiser classes: test scores after the last epoch.

    bias: how it is drawn after the weights; None: zeros.
    whole: leave out the last short batch, and clip gradients to a length of 1.
    """
    rng = torch_generator(0, "linear")
    weight = initial(torch.empty(3, data.train.shape[1]), generator=rng).requires_grad_()
    bias = (bias(torch.empty(3), generator=rng) if bias else torch.zeros(3)).requires_grad_()
    x, y = torch.from_numpy(data.train), torch.from_numpy(data.y_train)
    state = (
        [torch.zeros_like(p) for p in (weight, bias)],
        [torch.zeros_like(p) for p in (weight, bias)],
    )
    steps = 0
    for epoch in range(epochs):
        for index in torch.randperm(len(x), generator=rng).split(batch_size):
            if whole and len(index) < batch_size:
                continue
            gradients = torch.autograd.grad(
                F.cross_entropy(x[index] @ weight.T + bias, y[index]), (weight, bias)
            )
            if whole:
                length = torch.cat([g.flatten() for g in gradients]).norm()
                gradients = [g * min(1.0, 1 / (length + 1e-6)) for g in gradients]
            steps += 1
            with torch.no_grad():
                for p, g, a, b in zip((weight, bias), gradients, *state, strict=True):
                    update(p, g, a, b, epoch, steps)
    return torch.from_numpy(data.test) @ weight.T + bias


def test_scdnet_protocol():
    """SGD with momentum 0.9, N(0, 0.01) at the start, ten times slower from each milestone on (
    SCD-Net spec 7.1).
    """

    def sgd(p, g, a, b, epoch, steps):
        a.mul_(0.9).add_(g)
        p.sub_(0.2 * 0.1 ** ((epoch >= 4) + (epoch >= 6)) * a)

    cfg = linear.Config(
        optimiser="sgd",
        lr=0.2,
        epochs=8,
        batch_size=16,
        schedule="step",
        milestones=(4, 6),
        initial="normal",
    )
    expected = by_hand(
        features(), lambda w, generator: w.normal_(0, 0.01, generator=generator), 8, 16, sgd
    )
    np.testing.assert_allclose(
        linear.TASK.run(features(), cfg, 0, CPU).scores,
        expected.detach().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )


def test_defaults_are_still_pstls_protocol():
    """Other papers' settings must not move PSTL's numbers: Adam, Xavier-normal, cosine (PSTL spec
    8).
    """

    def adam(p, g, a, b, epoch, steps):
        lr = 0.01 * (1 + np.cos(np.pi * epoch / 8)) / 2
        a.lerp_(g, 0.1)
        b.lerp_(g * g, 0.001)
        p.sub_(lr * (a / (1 - 0.9**steps)) / ((b / (1 - 0.999**steps)).sqrt() + 1e-8))

    expected = by_hand(features(), torch.nn.init.xavier_normal_, 8, 16, adam)
    ours = linear.TASK.run(features(), linear.Config(epochs=8, batch_size=16), 0, CPU).scores
    np.testing.assert_allclose(ours, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_hitrs_protocol():
    """Left-overs dropped, gradients clipped together to 1, weights and biases drawn alike (Hi-TRS
    spec 5).
    """

    def uniform(parameter, generator):
        return torch.nn.init.uniform_(parameter, -(6**-0.5), 6**-0.5, generator=generator)

    def adam(p, g, a, b, epoch, steps):
        a.lerp_(g, 0.1)
        b.lerp_(g * g, 0.001)
        p.sub_(0.01 * (a / (1 - 0.9**steps)) / ((b / (1 - 0.999**steps)).sqrt() + 1e-8))

    data = features()
    data.train[:] *= 20  # gradients are then longer than 1
    protocol = {"drop_last": True, "clip_norm": 1.0, "initial": "uniform", "schedule": "step"}
    ours = linear.TASK.run(data, linear.Config(epochs=3, batch_size=16, **protocol), 0, CPU).scores
    expected = by_hand(data, uniform, 3, 16, adam, uniform, whole=True)
    np.testing.assert_allclose(ours, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    unclipped = linear.Config(epochs=3, batch_size=16, **protocol | {"clip_norm": 0.0})
    assert not np.allclose(
        linear.TASK.run(data, unclipped, 0, CPU).scores, ours, rtol=1e-4, atol=1e-5
    )


def test_the_paper_settings_in_params(root):
    """What `linear` means to SCD-Net is its paper's: lr 2, batch 1024, 80 epochs, two drops."""
    params = config.load(root / "params.yaml")
    cfg = linear.Config(**params.task(params.suite, "linear", "scdnet").settings)
    found = (
        cfg.optimiser,
        cfg.lr,
        cfg.momentum,
        cfg.batch_size,
        cfg.epochs,
        cfg.schedule,
        cfg.milestones,
        cfg.initial,
    )
    assert found == ("sgd", 2.0, 0.9, 1024, 80, "step", (50, 70), "normal")
