"""The learning rate as a pure function of the epoch."""

import math

from pstl.config import TrainSettings


def learning_rate(train: TrainSettings, epoch: int) -> float:
    """Rate for the 0-based `epoch`. Source: PSTL spec section 7 (cosine, warm-up), SCD-Net spec section 6 (step).

    QUIRK(pstl spec 7): with a warm-up, epoch 0 trains with rate 0; only batch-norm statistics and Adam's moments move.
    """
    if epoch < train.warmup_epochs:
        return train.lr * epoch / train.warmup_epochs
    if train.schedule == "step":
        return train.lr * 0.1 ** sum(epoch >= m for m in train.milestones)
    done = (epoch - train.warmup_epochs) / max(1, train.epochs - train.warmup_epochs)
    if train.schedule == "cosine":
        return train.lr * (1 + math.cos(math.pi * done)) / 2
    return train.lr * (1 - done) if train.schedule == "linear" else train.lr
