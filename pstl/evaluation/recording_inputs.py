"""Opens what tasks on whole recordings read: encoder and recordings."""

from typing import TYPE_CHECKING

import numpy as np

from pstl.encoding.recorded import open_recorded
from pstl.evaluation.cell import Evaluation, Opened, no_scores
from pstl.evaluation.clip_inputs import check_encoder

if TYPE_CHECKING:
    from pstl.graph import Inputs


def open_inputs(asked: Evaluation, files: "Inputs") -> Opened:
    """Encoder and recordings. Raises: UserError if they are not of the cell's run."""
    assert files.encoder is not None
    assert files.recordings is not None
    given = open_recorded(
        asked.cell.run, asked.cell.batch_norm, files.encoder, files.recordings, asked.progress,
        asked.digest, asked.device,
    )  # fmt: skip
    check_encoder(given.card, asked.encoder_run, files.encoder)
    meta = {**given.card.provenance, "data_checksum": given.store.checksum}
    nothing = no_scores(np.zeros(0, np.int64), np.zeros(0, bool), {})
    return Opened(given, meta, nothing, on_clips=False)
