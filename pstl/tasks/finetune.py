"""Fine-tuning: encoder and one linear layer, with all labels; with few of them it is `semi`."""

import torch

from pstl.contracts import Task
from pstl.encoding.pretrained import Pretrained
from pstl.metrics.classification import LOOKS, TOP1_AT_EPOCH
from pstl.records import Result
from pstl.tasks import _finetune
from pstl.tasks._finetune import Config


class Finetune(Task[Pretrained, Config]):
    """Fine-tuning with every label of the training side."""

    needs = "clips"
    classifies = True
    floors = ("untrained",)  # coordinates have no weights to tune
    settings = Config
    metrics = (*LOOKS, TOP1_AT_EPOCH)

    def run(self, inputs: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
        """Metrics of the last epoch, and of the best one looked at; see _finetune.run."""
        return _finetune.run(inputs, cfg, seed, device)


TASK = Finetune()
