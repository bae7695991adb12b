"""Semi-supervised evaluation: fine-tuning on the few training clips that have labels, the same
clips for every method of a draw.
"""

from dataclasses import replace

import torch

from pstl.config import DEFAULT_RULE, LabelRule, LabelShare, digest
from pstl.contracts import Task
from pstl.data.labels import record
from pstl.encoding.pretrained import Pretrained
from pstl.metrics.classification import LOOKS, TOP1_AT_EPOCH
from pstl.records import Result
from pstl.tasks import _finetune
from pstl.tasks._few_labels import drawn_clips


class Config(_finetune.Config):
    """Fine-tuning's settings (each paper's protocol is an entry of `tasks:`) and the labelled
    fraction of the training clips.
    """

    labels: LabelShare
    label_rule: LabelRule = DEFAULT_RULE  # which clips these are: pstl/data/labels.py


class SemiSupervised(Task[Pretrained, Config]):
    """Fine-tuning on a share of the labels."""

    needs = "labelled_clips"
    classifies = True
    floors = ("untrained",)  # coordinates have no weights to tune
    settings = Config
    metrics = (*LOOKS, TOP1_AT_EPOCH)

    def run(self, inputs: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
        """Metrics of `finetune`, trained on the labelled clips alone; setting `rule=psp`.

        The draw is the run's seed. On the method `random_init` this is the supervised-only
        baseline.
        Raises: UserError if the labels are of another rule, draw or split.
        """
        train = drawn_clips(inputs, cfg.labels, cfg.label_rule, seed)
        few = replace(inputs, train=train, digest=digest([inputs.digest, train.tolist()]))
        result = _finetune.run(few, cfg, seed, device)
        labels = record(cfg.label_rule, cfg.labels, seed, [inputs.data.names[i] for i in train])
        return replace(result, setting=f"rule={cfg.label_rule}", labelled=labels)


TASK = SemiSupervised()
