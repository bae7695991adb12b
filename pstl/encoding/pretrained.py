"""What a task on clips gets: the encoder, and the array it is tried on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pstl.config import Run, digest
from pstl.data.labels import Ranking, read
from pstl.data.loader import Clips
from pstl.data.store import ArraySet, open_array
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import fitted, recalibrate
from pstl.errors import UserError
from pstl.modules import BaseEncoder
from pstl.records import Wants
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard


@dataclass(frozen=True)
class Pretrained:
    """An encoder and the clips of one split, in the encoder's joints.

    run: the cell's run; its data set may be another than the encoder's.
    encoder: on the device, in evaluation mode, with the statistics that training left, see renew().
    data: the whole array.   train, test: indices of the split's two sides.
    progress: file in which a long task keeps what it has done; it is removed at the end.
    digest: of all that shapes the result.
    ranking: which training clips have labels first.   features: of these clips.
    classifier: the method's own, on the CPU, None if it has none.
    snapshots: file of both on their way.
    Tasks that do not need one of the last four do not get it.
    """

    run: Run
    card: EncoderCard
    encoder: BaseEncoder
    batch_norm: str
    data: ArraySet
    train: np.ndarray
    test: np.ndarray
    progress: Path
    digest: str
    device: torch.device
    ranking: Ranking | None = None
    features: FeatureSet | None = None
    classifier: nn.Linear | None = None
    snapshots: str | Path = ""

    @property
    def classes(self) -> int:
        """How many classes the data set has."""
        return len(self.data.meta["classes"])

    @property
    def unseen(self) -> np.ndarray:
        """(N_test,) bool: test clips whose coordinates are not also those of a training clip."""
        return self.data.unseen(self.run.split)

    def renew(self) -> None:
        """Give the encoder's batch norms the statistics that `batch_norm` names."""
        if self.batch_norm == "recalibrated":
            recalibrate(self.card, self.encoder, self.clips(self.train))

    def clips(self, indices: np.ndarray, labelled: bool = False) -> Clips:
        """Clips by their numbers (n,), on the device if they fit; with classes if `labelled`."""
        return Clips(self.data, indices, self.device, Wants(labels=labelled))


def open_pretrained(
    run: Run,
    batch_norm: str,
    encoder_path: str | Path,
    array: str | Path,
    progress: Path,
    shaped: str,
    device: torch.device,
    labels: str | Path | None = None,
) -> Pretrained:
    """Load encoder and array, and match their joints.

    shaped: digest of the task's own settings.   labels: a file of pstl.data.labels.
    Raises: UserError, ShapeError for a file that cannot be read, a split that is not there, or
    clips that do not fit the encoder.
    """
    card, encoder = encoder_file.load(encoder_path)
    data = fitted(card, encoder, open_array(array, encodable=True), str(array))
    if data.meta["dataset"] != run.dataset:
        raise UserError(
            f"{array}: clips of {data.meta['dataset']}, expected {run.dataset}; "
            "pass the array of the run's data set"
        )
    train, test = data.sides(run.split)
    whole = digest([shaped, card.provenance, data.meta["checksum"]])
    encoder.to(device)
    ranking = None if labels is None else read(labels)
    return Pretrained(
        run, card, encoder, batch_norm, data, train, test, progress, whole, device, ranking
    )
