"""What an evaluation is about, and what opening its files gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pstl.config import CLIP, Cell, Run
from pstl.evaluation.scores import Scores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Evaluation:
    """One cell being evaluated.

    encoder_run: the run whose encoder is used.   needs: of the cell's task, see records.READS.
    progress: file in which a long task keeps what it has done.
    digest: of the task's settings as they count, defaults included, and of the cell.
    pooling: of the features that the task reads.
    """

    cell: Cell
    encoder_run: Run
    needs: str
    progress: Path
    digest: str
    device: "torch.device"
    pooling: str = CLIP


@dataclass(frozen=True)
class Opened:
    """What a task is given, and what is said of it.

    given: FeatureSet, Pretrained or Recorded.   meta: provenance of the encoder, data_checksum.
    tested: the test clips, without scores; none of whole recordings, whose tasks keep none.
    on_clips: metrics are of test clips.
    """

    given: Any
    meta: Mapping[str, Any]
    tested: Scores
    on_clips: bool = True


def named(cell: Cell) -> dict[str, Any]:
    """What names one cell of the grid beside its scores, where `labels` is the draw."""
    names = dict(cell.identity)
    share = names.pop("labels")
    return {**names, "share": share}


def no_scores(y: np.ndarray, unseen: np.ndarray, about: Mapping[str, Any]) -> Scores:
    """Test clips without scores.   y, unseen: (N,), see Scores."""
    return Scores(np.zeros((0, 0), np.float32), y, unseen, dict(about))
