"""Semi-supervised evaluation: fine-tuning on the few training clips that have labels, the same clips for every method of a draw."""

from dataclasses import replace

import torch
from pydantic import Field

from pstl.config import digest
from pstl.data.labels import labelled
from pstl.errors import UserError
from pstl.tasks import _finetune
from pstl.tasks._pretrained import Pretrained
from pstl.tasks._result import Result

CLASSIFIES = True
NEEDS = "labels"


class Config(_finetune.Config):
    """Fine-tuning's settings (each paper's protocol is an entry of `tasks:`) and the labelled fraction of the training clips."""

    labels: float = Field(gt=0, le=1)


def run(world: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
    """Metrics of `finetune`, trained on the labelled clips alone; setting `labels=<fraction>`. The draw is the run's seed.

    On the method `random_init` this is the supervised-only baseline.   Raises: UserError if the labels are of another draw or split.
    """
    ranking = world.ranking
    if ranking is None or (ranking.split, ranking.draw) != (world.run.split, seed):
        found = "none" if ranking is None else f"draw {ranking.draw} of {ranking.dataset}/{ranking.split}"
        raise UserError(f"{world.run}: labels: {found}, expected draw {seed} of {world.run.dataset}/{world.run.split}; pass its file")
    train = labelled(ranking, cfg.labels, world.data)
    few = replace(world, train=train, digest=digest([world.digest, train.tolist()]))
    return replace(_finetune.run(few, cfg, seed, device), setting=f"labels={cfg.labels:g}")
