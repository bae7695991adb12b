"""Linear evaluation: one linear layer on frozen features; each paper's protocol is a setting."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pstl.config import Epochs, Factor
from pstl.contracts import Task
from pstl.encoding.feature_file import FeatureSet
from pstl.metrics.classification import LOOKS, classification_metrics
from pstl.metrics.clips import on_clips
from pstl.records import Result
from pstl.rng import torch_generator
from pstl.tasks._features import OnFeatures
from pstl.tasks._head import Initial, linear
from pstl.tasks._looks import best_of


class Config(OnFeatures):
    """Defaults are the released PSTL code's values (PSTL spec 8): Adam, cosine to 0, no decay, no
    augmentation.

    SCD-Net's (SCD-Net spec 7.1): sgd, lr 2, batches of 1024, 80 epochs, schedule step with
    milestones 50 and 70, initial normal.
    Hi-TRS's (Hi-TRS spec 5): halved after 100 epochs and then every 10, initial uniform; it
    augments while probing, which features do not.
    """

    epochs: int = Field(150, ge=1)
    batch_size: int = Field(128, ge=1)
    lr: float = Field(0.01, gt=0)
    optimiser: Literal["adam", "sgd"] = "adam"
    momentum: float = Field(0.9, ge=0, lt=1)  # sgd only
    schedule: Literal["cosine", "step"] = "cosine"
    milestones: Epochs = ()  # step only: epochs at which lr is multiplied by gamma
    gamma: Factor = 0.1
    initial: Initial = "xavier"
    drop_last: bool = False  # leave out the last short batch
    clip_norm: float = Field(0.0, ge=0)  # largest L2 norm of all gradients together; 0: not clipped


class Linear(Task[FeatureSet, Config]):
    """One linear layer on frozen features, trained by each paper's protocol."""

    classifies = True
    settings = Config
    metrics = LOOKS

    def run(self, features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
        """top1, top5 and macro_f1 of the LAST epoch; beside them top1_best and best_epoch of all.

        Those two are chosen on the test clips, nothing else is.
        """
        features.check_sides("linear")
        train, test = (side.float() for side in cfg.sides(features, device))
        y, y_test = (torch.from_numpy(f).to(device) for f in (features.y_train, features.y_test))
        rng = torch_generator(seed, "linear")
        layer = linear(train.shape[1], len(features.meta["classes"]), cfg.initial, rng).to(device)
        optimiser, schedule = _optimiser(layer, cfg)
        right = []
        for _ in range(cfg.epochs):
            order = torch.randperm(len(train), generator=rng).to(device)
            for index in _batches(order, cfg):
                optimiser.zero_grad(set_to_none=True)
                F.cross_entropy(layer(train[index]), y[index]).backward()
                if cfg.clip_norm:
                    torch.nn.utils.clip_grad_norm_(layer.parameters(), cfg.clip_norm)
                optimiser.step()
            schedule.step()
            with torch.no_grad():
                right.append(layer(test).argmax(1) == y_test)
        with torch.no_grad():
            scores = layer(test)
        every = torch.stack(right).double()  # (epochs, N_test)

        def measure(kept: Tensor) -> dict[str, float]:
            """Accuracies by epoch of some test clips (n,), by their numbers."""
            by_epoch = dict(enumerate((100 * every[:, kept].mean(1)).tolist(), 1))
            return classification_metrics(scores[kept], y_test[kept]) | best_of(by_epoch)

        curve = [
            {"epoch": i, "top1": value} for i, value in enumerate((100 * every.mean(1)).tolist())
        ]
        metrics = on_clips(measure, features.unseen)
        return Result(metrics, cfg.setting(), scores=scores.cpu().numpy(), curve=curve)


def _batches(order: Tensor, cfg: Config) -> tuple[Tensor, ...]:
    """One epoch's batches of indices."""
    batches = order.split(cfg.batch_size)
    short = len(batches) > 1 and len(batches[-1]) < cfg.batch_size
    return batches[:-1] if cfg.drop_last and short else batches


def _optimiser(
    layer: nn.Linear, cfg: Config
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """No weight decay in either protocol."""
    optimiser: torch.optim.Optimizer
    if cfg.optimiser == "adam":
        optimiser = torch.optim.Adam(layer.parameters(), lr=cfg.lr, fused=True)
    else:
        optimiser = torch.optim.SGD(
            layer.parameters(), lr=cfg.lr, momentum=cfg.momentum, fused=True
        )
    if cfg.schedule == "cosine":
        return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, cfg.epochs))
    return optimiser, torch.optim.lr_scheduler.MultiStepLR(
        optimiser, list(cfg.milestones), cfg.gamma
    )


TASK = Linear()
