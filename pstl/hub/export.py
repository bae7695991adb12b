"""An encoder for others, from encoder.pt or from a run with everything that is known of it."""

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pstl import paths
from pstl.config import Params, Run, validated
from pstl.config.suites import COMMON
from pstl.contracts import Task
from pstl.data.loader import Clips
from pstl.data.store import ArraySet, open_array, open_sequences
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import check_fit, encode_all, recalibrate
from pstl.errors import UserError
from pstl.evaluation import result_file
from pstl.files import checksum, replaced, write_record, write_text
from pstl.hub.model_card import Origin, describe
from pstl.hub.weights import CARD, CONFIG, WEIGHTS, Classifier, Weights, round_to_half, write
from pstl.ops.class_scores import LinearScores
from pstl.provenance import git_hash
from pstl.registry import dataset_names, load_dataset
from pstl.registry import load as load_plugin
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
CPU = torch.device("cpu")
RELEASED, RECALIBRATED = "released", "recalibrated"


@dataclass(frozen=True)
class Wanted:
    """How a run is exported.

    classifier: task of params.yaml that fits one; empty: the method's own, if it has one.
    half: matrices in 16 bits.   name: in the hub, for the card.
    """

    classifier: str = ""
    half: bool = False
    name: str = ""

    def command(self, run: Run) -> str:
        """What somebody types for it."""
        words = ["python -m pstl export", str(run)]
        words += ["--classifier", self.classifier] if self.classifier else []
        words += ["--half"] if self.half else []
        return " ".join([*words, "--hub", self.name] if self.name else words)


def export(encoder: str | Path, out: str | Path, array: str | Path | None = None) -> EncoderCard:
    """Write the folder `out`, with a model card, and the method's own classifier if it has one.

    Scores found beside encoder.pt, as the workflow lays them, go into the card.
    array: recalibrate the batch norms on the training side of this array first, as the headline
    numbers do.
    Raises: UserError if the encoder cannot be read or the array is not of its data.
    """
    weights = opened(encoder)
    norm = RELEASED
    if array is not None:
        data = _data_of(weights.card, array)
        recalibrate(weights.card, weights.encoder, _sides(weights.card, data)[0])
        norm = RECALIBRATED
    weights = _with_norm(weights, norm)
    rows = scores(Path(encoder).parent, norm, weights.card)
    _write(out, weights, Origin(rows=rows, git=git_hash()))
    return weights.card


def export_run(params: Params, run: Run, out: str | Path, wanted: Wanted) -> Weights:
    """Write the folder `out` from what the workflow has made of a run.

    Batch norms are recalibrated where the suite has its cells so. The classifier is fitted to the
    training clips, and what the file as it is written makes of the test clips goes into its card.
    Raises: UserError if something of the run is not there.
    """
    section, place = params.method_of(run), paths.encoder(params.encoder_run(run))
    weights = opened(place)
    norms = {cell.batch_norm for cell in params.cells(run.suite) if cell.run == run}
    norm = RECALIBRATED if RECALIBRATED in norms else RELEASED
    array = paths.array(run.dataset, section.recipe.key)
    data = _data_of(weights.card, array)
    train, test = _sides(weights.card, data)
    if wanted.half:
        round_to_half(weights.encoder, str(place))
    if norm == RECALIBRATED:
        recalibrate(weights.card, weights.encoder, train)
    weights = _with_norm(weights, norm)
    top1 = None
    if wanted.classifier:
        features = _features(weights, data, train, test)
        fitted = _fitted(params, run, wanted.classifier, features)
        names = {data.names[i] for i in train.indices}
        frames = native_frames(paths.sequences(run.dataset), names)
        classes = tuple(features.meta["classes"])
        weights = weights._replace(
            classifier=Classifier(fitted, classes, wanted.classifier, frames)
        )
        top1 = _top1(fitted, features)
    origin = Origin(
        name=wanted.name,
        command=wanted.command(run),
        git=git_hash(),
        rows=scores(Path(paths.run(run)), norm, weights.card),
        top1=top1,
        beside=beside(params, run, norm, wanted.classifier),
        half=wanted.half,
    )
    _write(out, weights, origin)
    return weights


def native_frames(sequences: str | Path, names: Collection[str]) -> int:
    """Frames of a typical recording among those of these names, before any recipe; their median.

    Raises: UserError if `sequences` is no folder that `parse` made.
    """
    store = open_sequences(sequences)
    wanted = [name in names for name in store.names]
    return int(np.median(store.index["frames"][wanted]))


def opened(encoder: str | Path) -> Weights:
    """What encoder.pt holds. Raises: UserError if it cannot be read."""
    card, model = encoder_file.load(encoder)
    layer = encoder_file.load_classifier(encoder)
    if layer is None:
        return Weights(card, model)
    weight = layer.weight.detach()
    own = LinearScores(weight, layer.bias.detach(), weight.new_zeros(weight.shape[1]))
    return Weights(card, model, Classifier(own, _class_names(card, len(weight))))


def scores(folder: Path, norm: str, card: EncoderCard) -> list[dict[str, Any]]:
    """Rows of the tasks that were run on these weights, with these batch-norm statistics.

    Beside them may lie rows of a transfer, which are another encoder's, and of an earlier training:
    these are left out.
    """
    own = card.provenance.get("run_id")
    rows = []
    for path in sorted((folder / norm).glob("*.json")):
        rows += [row for row in result_file.read(path)["rows"] if row.get("run_id", own) == own]
    return rows


def beside(params: Params, run: Run, norm: str, task: str) -> dict[str, float]:
    """Top-1 of a run and of its floors by the tables, as far as they were run."""
    if not task:
        return {}
    cell = params.cell(run, norm, task, by=COMMON)
    cells = {"the tables": cell, **params.floors(run.suite).get(cell, {})}
    values = {}
    for who, each in cells.items():
        path = Path(paths.metrics(each))
        rows = result_file.read(path)["rows"] if path.is_file() else []
        for row in rows:
            if row["metric"] == "top1" and row["batch_norm"] == each.batch_norm:
                values[who] = float(row["value"])
    return values


def _write(out: str | Path, weights: Weights, origin: Origin) -> None:
    """The folder, whole or not at all."""
    with replaced(out, CONFIG) as new:
        write(new / WEIGHTS, weights, origin.half)
        write_record(new / CONFIG, asdict(weights.card))
        signed = replace(origin, sha256=checksum(new / WEIGHTS))
        write_text(new / CARD, describe(weights, signed))


def _with_norm(weights: Weights, norm: str) -> Weights:
    """The same, with a word on the batch norms in the card."""
    provenance = {**weights.card.provenance, "batch_norm": norm}
    return weights._replace(card=replace(weights.card, provenance=provenance))


def _class_names(card: EncoderCard, count: int) -> tuple[str, ...]:
    """The names of so many classes, if the data set that was trained on has as many."""
    dataset = card.provenance.get("dataset", "")
    classes = load_dataset(dataset).spec.classes if dataset in dataset_names() else ()
    return classes if len(classes) == count else tuple(f"class {i + 1}" for i in range(count))


def _data_of(card: EncoderCard, array: str | Path) -> ArraySet:
    """The array an encoder was trained on. Raises: UserError if it is another."""
    data, split = open_array(array, encodable=True), card.provenance.get("split", "")
    check_fit(card, data.x.shape, str(array))
    same = data.meta["checksum"] == card.provenance.get("data_checksum")
    if not same or split not in data.splits:
        raise UserError(
            f"{array}: not the array this encoder was trained on; name that one, "
            "or leave --array out"
        )
    return data


def _sides(card: EncoderCard, data: ArraySet) -> tuple[Clips, Clips]:
    """Training and test clips of the split that an encoder was trained on."""
    train, test = data.splits[card.provenance["split"]]
    return Clips(data, train, CPU), Clips(data, test, CPU)


def _features(weights: Weights, data: ArraySet, train: Clips, test: Clips) -> FeatureSet:
    """Features of both sides, by the encoder as it is written."""
    card, encoder, _ = weights
    return FeatureSet(
        encode_all(card, encoder, train),
        encode_all(card, encoder, test),
        data.y[train.indices],
        data.y[test.indices],
        data.unseen(card.provenance["split"]),
        {"classes": data.meta["classes"]},
    )


def _fitted(params: Params, run: Run, name: str, features: FeatureSet) -> LinearScores:
    """The classifier of a task, by its settings in the run's suite.

    Raises: UserError for a task that fits none.
    """
    section = params.task(run.suite, name)
    task: Task = load_plugin("tasks", section.kind).TASK
    cfg = validated(task.settings, section.settings, f"tasks.{name}")
    fitted = task.classifier(features, cfg, run.seed, CPU) if task.needs == "features" else None
    if fitted is None:
        raise UserError(f"--classifier {name}: this task fits no linear layer; expected probe")
    return LinearScores(*(tensor.float() for tensor in fitted))


def _top1(fitted: LinearScores, features: FeatureSet) -> float:
    named = fitted.of(torch.from_numpy(features.test)).argmax(1).numpy()
    return 100 * float((named == features.y_test).mean())
