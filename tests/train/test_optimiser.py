import pytest
import torch
from torch import nn

from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.modules import BaseTrainable
from pstl.train import optimiser
from pstl.train.loop import epochs_of, update


class Net(BaseTrainable):
    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(2, 3), nn.LayerNorm(3)


def settings(**changes):
    return TrainSettings(
        **{"epochs": 9, "lr": 0.1, "optimiser": "adamw", "weight_decay": 0.5} | changes
    )


def test_named_parameters_are_spared_the_decay():
    """Decaying norms and positions pulls them to values that mean nothing.

    Everything else must still decay, and once.
    """
    net = Net()
    before = {name: p.clone() for name, p in net.named_parameters()}
    optim = optimiser.build(net, settings(no_decay=("bias", "norm")))
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optim.step()
    for name, p in net.named_parameters():
        torch.testing.assert_close(
            p.detach(), before[name] * (1 - 0.1 * 0.5 if name == "layer.weight" else 1)
        )
    assert sum(len(group["params"]) for group in optim.param_groups) == 4
    with pytest.raises(UserError, match="'nrom'"):
        optimiser.build(net, settings(no_decay=("nrom",)))


def test_gradients_are_clipped_together():
    """The direction of the step stays; only its length over all parameters is bounded."""
    net = Net()
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    gradient = torch.randn(len(before)) * 10
    for p, part in zip(
        net.parameters(), gradient.split([p.numel() for p in net.parameters()]), strict=True
    ):
        p.grad = part.view_as(p)
    sgd = settings(optimiser="sgd", weight_decay=0.0, momentum=0.0, clip_norm=1.0)
    update(net, optimiser.build(net, sgd), sgd, 0.25)
    moved = torch.cat([p.detach().flatten() for p in net.parameters()]) - before
    torch.testing.assert_close(moved, -0.25 * gradient / gradient.norm(), atol=1e-6, rtol=1e-4)


def test_steps_may_end_a_run_before_its_epochs():
    """A schedule of 50,000 steps whose checkpoint at 30,000 is used: 100 clips, batches of 8, 4 a
    step make 4 steps an epoch.
    """
    assert epochs_of(settings(batch_size=8, accumulate=4, epochs=50), 100) == 50
    assert epochs_of(settings(batch_size=8, accumulate=4, epochs=50, max_steps=13), 100) == 4
    assert epochs_of(settings(batch_size=8, accumulate=4, epochs=2, max_steps=13), 100) == 2
    whole = settings(batch_size=8, accumulate=4, epochs=50, max_steps=13, whole_steps=True)
    assert epochs_of(whole, 100) == 5


def test_moments_forget_as_set():
    """MAMP's second moment forgets within 20 steps; torch's own takes 1,000."""
    groups = optimiser.build(Net(), settings(betas=(0.9, 0.95))).param_groups
    assert all(group["betas"] == (0.9, 0.95) for group in groups)
