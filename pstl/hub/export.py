"""An encoder for others: a folder with model.safetensors, what it expects as JSON, and a card that
says where it comes from.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pstl.data.loader import Clips
from pstl.data.store import open_array
from pstl.encoding.features import check_fit, recalibrate
from pstl.errors import UserError
from pstl.evaluation import result_file
from pstl.files import parsed, reading, replaced, write_json, write_text
from pstl.modules import BaseEncoder
from pstl.registry import load_dataset, names
from pstl.train import encoder_file, safetensors
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
USE = """```python
import pstl

encoder = pstl.load("this folder")
features = encoder.embed(xyz)
```"""


def export(encoder: str | Path, out: str | Path, array: str | Path | None = None) -> EncoderCard:
    """Write the folder `out`, with a model card.

    Scores found beside encoder.pt, as the workflow lays them, go into the card.
    array: recalibrate the batch norms on the training side of this array first, as the headline
    numbers do.
    Raises: UserError if the encoder cannot be read or the array is not of its data.
    """
    card, model = encoder_file.load(encoder)
    if encoder_file.load_classifier(encoder) is not None:
        log.info("%s: its classifier is left out: an exported encoder gives features", encoder)
    norm = "released"
    if array is not None:
        recalibrate(card, model, _training_side(card, array))
        norm = "recalibrated"
    card = EncoderCard(**{**asdict(card), "provenance": {**card.provenance, "batch_norm": norm}})
    described = describe(card, model, scores(Path(encoder).parent, norm, card))
    with replaced(out) as new:
        notes = {"format": "pt", "pstl": json.dumps(asdict(card), sort_keys=True)}
        safetensors.write(new / WEIGHTS, model.state_dict(), notes)
        write_json(new / CONFIG, asdict(card))
        write_text(new / CARD, described)
    return card


def _training_side(card: EncoderCard, array: str | Path) -> Clips:
    """The clips an encoder was trained on. Raises: UserError if the array is not of its data."""
    data, split = open_array(array, verify=True), card.provenance.get("split", "")
    check_fit(card, data.x.shape, str(array))
    same = data.meta["checksum"] == card.provenance.get("data_checksum")
    if not same or split not in data.splits:
        raise UserError(
            f"{array}: not the array this encoder was trained on; name that one, "
            "or leave --array out"
        )
    return Clips(data, data.splits[split][0], torch.device("cpu"))


def read(folder: str | Path) -> tuple[EncoderCard, BaseEncoder]:
    """An exported encoder, in evaluation mode.

    Raises: UserError if a file is missing, damaged or does not fit the other.
    """
    state, notes = safetensors.read(Path(folder) / WEIGHTS)
    path = Path(folder) / WEIGHTS
    if "pstl" not in notes:
        raise UserError(
            f"{path}: no card of this project inside; export it with 'python -m pstl export'"
        )
    with reading(path, safetensors.SAFETENSORS):
        card = EncoderCard(**parsed(notes["pstl"]))
        encoder = encoder_file.build(card)
        encoder_file.load_state(encoder, state, str(path))
    return card, encoder.eval()


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


def describe(card: EncoderCard, encoder: BaseEncoder, rows: list[dict[str, Any]]) -> str:
    """The model card."""
    dataset = str(card.provenance.get("dataset", "unknown"))
    facts = [[name, str(value)] for name, value in facts_of(card, encoder).items()]
    blocks = [
        f"# {card.provenance.get('run', card.method)}",
        _table(["", ""], facts),
        "## Use",
        USE,
        "## Scores",
        _scores_table(rows) if rows else "None were found beside the weights.",
        "## Licence",
        *licence(dataset, str(card.provenance.get("imported_from", ""))),
    ]
    return "\n\n".join(blocks) + "\n"


def facts_of(card: EncoderCard, encoder: BaseEncoder) -> dict[str, Any]:
    """What an encoder is, expects and comes from, by what a model card calls it."""
    origin, skeleton = card.provenance, encoder_file.skeleton_of(card)
    parameters = sum(p.numel() for p in encoder.parameters())
    dataset, split = origin.get("dataset", "unknown"), origin.get("split", "unknown")
    shape, bodies = f"(T, {skeleton.joints}, 3) metres", f"up to {card.people} bodies"
    return {
        "method": f"{card.method}, stream {card.stream}",
        "trained on": f"{dataset}, split {split}, training side",
        "seed": origin.get("seed", "unknown"),
        "recipe": json.dumps(card.recipe, sort_keys=True),
        "input": f"{shape}, joints of {card.skeleton}, {bodies}",
        "encoder": f"{json.dumps(card.encoder, sort_keys=True)}, {parameters:,} parameters",
        "method's settings": json.dumps(card.settings, sort_keys=True),
        "batch norm": origin.get("batch_norm", "released"),
        "commit": origin.get("git", "unknown"),
        "data checksum": origin.get("data_checksum", "unknown"),
        "run": origin.get("run_id", "unknown"),
    }


def licence(dataset: str, imported_from: str = "") -> list[str]:
    """What the owners of the training data ask, as far as this project knows.

    imported_from: the file of released weights that the encoder comes from, if it does.
    """
    if dataset not in names("data.datasets"):
        return [
            f"Trained on {dataset}, whose terms this project does not know; ask whoever owns the "
            "recordings before you pass this on.",
            *([_makers(imported_from)] if imported_from else []),
        ]
    spec = load_dataset(dataset).spec
    return [
        f"Data: {spec.source}. Terms: {spec.licence}. Weights hold no recording, but were derived "
        "from them: pass them on only as far as these terms allow.",
        _makers(imported_from),
    ]


def _makers(imported_from: str) -> str:
    """Who made the weights, and what is asked of who uses them."""
    cite = "cite the paper of the method (CITATION.cff of the project)"
    if imported_from:
        return (
            f"Others trained and released them, as {imported_from}: their licence holds for these "
            f"weights, too; {cite}."
        )
    return f"The code that made them is under the MIT licence; {cite}."


def _scores_table(rows: list[dict[str, Any]]) -> str:
    cells = [[row["task"], row["setting"], row["metric"], f"{row['value']:.2f}"] for row in rows]
    return _table(["task", "setting", "metric", "value"], cells)


def _table(header: list[str], body: list[list[str]]) -> str:
    lines = []
    for row in [header, ["---"] * len(header), *body]:
        cells = [cell.replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
