"""Opens what tasks on clips read: encoder, array, and what else they need of these clips."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pstl.config import Run
from pstl.encoding.feature_file import FeatureSet, clip_digest
from pstl.encoding.pretrained import Pretrained, open_pretrained
from pstl.errors import UserError
from pstl.evaluation.cell import Evaluation, Opened, no_scores
from pstl.evaluation.feature_inputs import features_of
from pstl.records import READS
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

if TYPE_CHECKING:
    from pstl.graph import Inputs


def open_inputs(asked: Evaluation, files: "Inputs") -> Opened:
    """Encoder and clips. Raises: UserError if they are not of the cell's run."""
    assert files.encoder is not None
    assert files.array is not None
    given = open_pretrained(
        asked.cell.run, asked.cell.batch_norm, files.encoder, files.array, asked.progress,
        asked.digest, asked.device, files.labels if "labels" in READS[asked.needs] else None,
    )  # fmt: skip
    check_encoder(given.card, asked.encoder_run, files.encoder)
    if "features" in READS[asked.needs]:
        assert files.features is not None
        features = features_of(asked, files.features)
        check_same_weights(features, given, files.features)
        given = replace(given, features=features)
    if asked.needs == "snapshots":
        assert files.snapshots is not None
        classifier = encoder_file.load_classifier(str(files.encoder))
        given = replace(given, classifier=classifier, snapshots=files.snapshots)
    meta = {**given.card.provenance, "data_checksum": given.data.meta["checksum"]}
    about = {"clips": clip_digest(given.data.names[i] for i in given.test)}
    if given.ranking is not None:
        about["labels"] = given.ranking.digest
    return Opened(given, meta, no_scores(given.data.y[given.test], given.unseen, about))


def check_encoder(card: EncoderCard, expected: Run, encoder: str | Path) -> None:
    """Raises: UserError if the encoder is of another run than it should be."""
    if (run := card.provenance.get("run")) != str(expected):
        raise UserError(
            f"{encoder}: encoder of {run}, expected {expected}; "
            "pass the encoder that 'python -m pstl pretrain' wrote for it"
        )


def check_same_weights(features: FeatureSet, given: Pretrained, path: str | Path) -> None:
    """Raises: UserError unless encoder and array are those that made the features."""
    made_by = {**given.card.provenance, "data_checksum": given.data.meta["checksum"]}
    for key, what in (("data_checksum", "array"), ("run_id", "encoder")):
        stated, expected = str(features.meta[key]), str(made_by[key])
        if stated != expected:
            raise UserError(
                f"{path}: features of another {what} ({key} {stated[:16]}, not {expected[:16]}); "
                "make them again with 'python -m pstl features'"
            )
