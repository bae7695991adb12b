"""Semi-supervised evaluation of a frozen encoder: the common probe, fitted to the few training
clips that have labels, the same clips as `semi` tunes on.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pstl.config import DEFAULT_RULE, Frozen, LabelRule, LabelShare, validated
from pstl.contracts import Task
from pstl.data.labels import record
from pstl.encoding.pretrained import Pretrained
from pstl.metrics.classification import ACCURACIES
from pstl.records import Result
from pstl.registry import load as load_plugin
from pstl.tasks._few_labels import drawn_clips

PROBE = "probe"


class Config(Frozen):
    """Our own protocol: nothing of the encoder moves, so that coordinates have a row, too."""

    labels: LabelShare
    label_rule: LabelRule = DEFAULT_RULE  # which clips these are: pstl/data/labels.py
    probe: dict[str, Any] = {}  # settings of the task `probe`


class SemiProbe(Task[Pretrained, Config]):
    """A linear classifier of frozen features that sees a share of the labels."""

    needs = "labelled_features"
    classifies = True
    probes = ("probe",)
    settings = Config
    metrics = ACCURACIES

    def run(self, inputs: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
        """Accuracies and macro F1 of the probe; setting `rule=psp`.

        Its strength is chosen on held-out clips among the labelled ones. Statistics of recalibrated
        batch norms are of all training clips: they need no labels.
        Raises: UserError if the labels are of another rule, draw or split.
        """
        task: Task = load_plugin("tasks", PROBE).TASK
        probe = validated(task.settings, cfg.probe, f"settings of {PROBE}")
        features = inputs.features
        assert features is not None
        train = drawn_clips(inputs, cfg.labels, cfg.label_rule, seed)
        kept = np.isin(inputs.train, train)
        few = replace(features, train=features.train[kept], y_train=features.y_train[kept])
        result = task.run(few, probe, seed, device)
        labels = record(cfg.label_rule, cfg.labels, seed, [inputs.data.names[i] for i in train])
        return replace(result, setting=f"rule={cfg.label_rule}", labelled=labels)


TASK = SemiProbe()
