"""Opens what tasks on cached features read."""

from pathlib import Path
from typing import TYPE_CHECKING

from pstl.config import CLIP
from pstl.encoding.feature_file import FeatureSet, open_features
from pstl.errors import UserError
from pstl.evaluation.cell import Evaluation, Opened, no_scores

if TYPE_CHECKING:
    from pstl.graph import Inputs


def open_inputs(asked: Evaluation, files: "Inputs") -> Opened:
    """Cached features. Raises: UserError if they are not of the cell's run."""
    assert files.features is not None
    data = features_of(asked, files.features)
    tested = no_scores(data.y_test, data.unseen, {"clips": data.meta.get("clips", "")})
    return Opened(data, data.meta, tested)


def features_of(asked: Evaluation, path: str | Path) -> FeatureSet:
    """Cached features, of the run they should be of. Raises: UserError."""
    data, run = open_features(path), asked.cell.run
    keys = ("run", "encoded_dataset", "split", "batch_norm")
    stated = (*(data.meta.get(key) for key in keys), data.meta.get("pooling", CLIP))
    cell = (run.dataset, run.split, asked.cell.batch_norm)
    expected = (str(asked.encoder_run), *cell, asked.pooling)
    if stated != expected:
        form = "{} of {}/{} ({}, {})"
        raise UserError(
            f"{path}: features by {form.format(*stated)}, expected {form.format(*expected)}; "
            "make them again with 'python -m pstl features'"
        )
    return data
