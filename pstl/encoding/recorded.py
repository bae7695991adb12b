"""What a task on whole recordings gets: the encoder, and the recordings of one split at native
length.
"""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pstl.config import Run, TrainSettings, digest
from pstl.data.loader import Clips
from pstl.data.recordings import RecordingStore, open_recordings
from pstl.data.store import ArraySet
from pstl.encoding.features import adapted, recalibrate
from pstl.errors import UserError
from pstl.modules import BaseEncoder, BaseTrainable
from pstl.records import Source, Wants
from pstl.rng import derive
from pstl.train import checkpoint, encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.loop import Session, train


@dataclass(frozen=True)
class Recorded:
    """An encoder and the recordings it is tried on.

    run: the cell's run; its data set may be another than the encoder's.
    encoder: on the device, in evaluation mode, statistics as
    training left them.   train, test: indices of the split's two sides.
    progress: file in which a long task keeps what it has done;
    a task with several trainings puts others beside it.   digest: of all that shapes the result.
    """

    run: Run
    card: EncoderCard
    encoder: BaseEncoder
    batch_norm: str
    store: RecordingStore
    train: np.ndarray
    test: np.ndarray
    progress: Path
    digest: str
    device: torch.device

    def copy(self, fresh: bool = False) -> BaseEncoder:
        """The encoder to be trained on; `fresh`: the same network with new random weights, drawn
        from the run's seed.
        """
        if not fresh:
            return deepcopy(self.encoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(self.run.seed, "from scratch"))
            return encoder_file.build(self.card).to(self.device).eval()

    def clips(self, data: ArraySet, labelled: bool = False) -> Clips:
        """All clips of an array in the encoder's joints, on the device if they fit."""
        return Clips(
            adapted(self.card, data, self.store.dataset),
            np.arange(len(data.x)),
            self.device,
            Wants(labels=labelled),
        )

    def renew(self, encoder: BaseEncoder, clips: Clips) -> None:
        """Batch-norm statistics from these clips, if the run's variant is `recalibrated`."""
        if self.batch_norm == "recalibrated":
            recalibrate(self.card, encoder, clips)
        encoder.eval()

    def fit(
        self, trainable: BaseTrainable, source: Source, settings: TrainSettings, what: str
    ) -> None:
        """Train with the loop that trains every method.

        What is finished is kept until done() and not repeated.
        """
        torch.manual_seed(derive(self.run.seed, "fit", *what.encode()))
        name, shaped = f"{self.run}: {what}", digest([self.digest, what])
        session = Session(name, self.run.seed, self._last(what), shaped)
        train(trainable, source, settings, session)

    def done(self) -> None:
        """Remove what was kept for an interruption."""
        for path in self.progress.parent.glob(f"{self.progress.name.removesuffix('.pt')}.*.pt"):
            checkpoint.discard(path)

    def _last(self, what: str) -> Path:
        return self.progress.with_name(
            f"{self.progress.name.removesuffix('.pt')}.{what.replace(' ', '-')}.pt"
        )


def open_recorded(
    run: Run,
    batch_norm: str,
    encoder_path: str | Path,
    recordings: str | Path,
    progress: Path,
    shaped: str,
    device: torch.device,
) -> Recorded:
    """Load encoder and recordings. shaped: digest of the task's own settings.

    Raises: UserError for a file that cannot be read, recordings of another data set, or a split
    that is not there.
    """
    card, encoder = encoder_file.load(encoder_path)
    store = open_recordings(recordings)
    if store.dataset != run.dataset:
        raise UserError(
            f"{recordings}: recordings of {store.dataset}, expected {run.dataset}; "
            "pass those of the run's data set"
        )
    train_side, test_side = store.sides(run.split)
    whole = digest([shaped, card.provenance, store.checksum])
    return Recorded(
        run,
        card,
        encoder.to(device),
        batch_norm,
        store,
        train_side,
        test_side,
        progress,
        whole,
        device,
    )
