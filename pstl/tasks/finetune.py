"""Fine-tuning: encoder and one linear layer trained with all labels; with few of them it is `semi`."""

from pstl.tasks._finetune import Config, run

__all__ = ["Config", "run"]

CLASSIFIES = True
NEEDS = "clips"
