"""The learning rate as a pure function of the epoch, or of the optimiser step."""

import math

from pstl.config import TrainSettings


def learning_rate(train: TrainSettings, epoch: float, step: int = 0) -> float:
    """Rate for the 0-based `epoch`, or for the 0-based optimiser `step` of the whole run if there
    are decay_steps.

    epoch: with per_step the share of it that is over is added, so 3.5 is the middle of epoch 3.
    Source: PSTL spec 7 (cosine, warm-up), SCD-Net spec 6 (step), Hi-TRS spec 4 (linear by steps),
    PSP spec 7; per_step and final_lr with epochs are MAMP's.

    QUIRK(PSTL spec 7): with a warm-up that starts at 0, epoch 0 trains with rate 0; only batch-norm
    statistics and Adam's moments move.
    """
    if train.decay_steps:
        return _by_step(train, step)
    if epoch < train.warmup_epochs:
        return train.lr * (epoch + train.warmup_start) / train.warmup_epochs
    if train.schedule == "step":
        passed = sum(epoch >= milestone for milestone in train.milestones)
        if isinstance(train.gamma, tuple):
            return train.lr * math.prod(train.gamma[:passed])
        return train.lr * train.gamma**passed
    done = (epoch - train.warmup_epochs) / max(1, train.epochs - train.warmup_epochs)
    if train.schedule == "constant":
        return train.lr
    left = (1 + math.cos(math.pi * done)) / 2 if train.schedule == "cosine" else 1 - done
    return train.final_lr + (train.lr - train.final_lr) * left


def _by_step(train: TrainSettings, step: int) -> float:
    """Linear warm-up from 0, then linear decay to final_lr, which is kept."""
    if step < train.warmup_steps:
        return train.lr * step / train.warmup_steps
    done = min(1.0, (step - train.warmup_steps) / (train.decay_steps - train.warmup_steps))
    return train.lr + (train.final_lr - train.lr) * done
