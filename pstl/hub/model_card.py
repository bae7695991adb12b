"""The card of an exported encoder: front matter that programs read, and a page for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pstl.hub.weights import WEIGHTS, Weights
from pstl.registry import dataset_names, load_dataset
from pstl.train import encoder_file

FENCE = "---\n"
FREE = "MIT"  # stands in the terms of data that ask for nothing more than the code does
USE = """```python
import pstl

encoder = pstl.load("{name}")
features = encoder.embed(xyz)  # (T, {joints}, 3) metres -> ({width},)
```"""
PREDICT = """```sh
python -m pstl predict clips --weights {name} --top 3
```"""
HALF = "Matrices are stored in 16 bits and loaded as float32."


@dataclass(frozen=True)
class Origin:
    """What is known of an exported encoder beside what its file says.

    name: in the hub; empty: anywhere else.   sha256: of model.safetensors.   command: that exported
    it, git: of the code that did.   rows: of the tasks that were run on the same weights.
    top1: percent of the test clips that the file's classifier names rightly; None: not measured.
    beside: who -> top-1 of the classifier's task, in the tables: the run, then its floors.
    """

    name: str = ""
    sha256: str = ""
    command: str = ""
    git: str = ""
    rows: Sequence[Mapping[str, Any]] = ()
    top1: float | None = None
    beside: Mapping[str, float] | None = None
    half: bool = False


def describe(weights: Weights, origin: Origin) -> str:
    """The model card."""
    card, name = weights.card, origin.name or "this folder"
    provenance = card.provenance
    skeleton = encoder_file.skeleton_of(card)
    facts = [[fact, str(value)] for fact, value in facts_of(weights).items()]
    use = USE.format(name=name, joints=skeleton.joints, width=weights.encoder.width)
    blocks = [
        f"# {origin.name or provenance.get('run', card.method)}",
        _table(["", ""], facts),
        *([HALF] if origin.half else []),
        "## Use",
        use,
        *([PREDICT.format(name=name)] if weights.classifier else []),
        "## Scores",
        *_measured(weights, origin),
        _scores_table(origin.rows) if origin.rows else "None were found beside the weights.",
        *_caveats(weights),
        "## Licence",
        *licence(_dataset(weights), str(provenance.get("imported_from", ""))),
    ]
    return FENCE + front_matter(weights, origin) + FENCE + "\n" + "\n\n".join(blocks) + "\n"


def front_matter(weights: Weights, origin: Origin) -> str:
    """YAML in the words of model hubs, and under `pstl` in our own."""
    card, classifier, dataset = weights.card, weights.classifier, _dataset(weights)
    terms, is_free = _terms(dataset)
    is_ours = "imported_from" not in card.provenance
    content: dict[str, Any] = {
        "license": "mit" if is_free and is_ours else "other",
        "license_name": terms,
        "library_name": "pstl",
        "tags": ["skeleton-action-recognition", "self-supervised-learning", card.method],
        "datasets": [dataset],
        "pstl": {
            "name": origin.name,
            "method": card.method,
            "stream": card.stream,
            "trained_on": f"{dataset}/{card.provenance.get('split', 'unknown')}",
            "run": card.provenance.get("run", "unknown"),
            "skeleton": card.skeleton,
            "recipe": card.recipe,
            "feature_width": weights.encoder.width,
            "parameters": _parameters(weights),
            "batch_norm": card.provenance.get("batch_norm", "released"),
            "classes": list(classifier.classes) if classifier else [],
            "classifier": _whose(weights),
            "top1": _rounded({"this file": origin.top1, **(origin.beside or {})}),
            "caveats": _caveats(weights),
            "file": WEIGHTS,
            "sha256": origin.sha256,
            "trained_by_git": card.provenance.get("git", "unknown"),
            "exported_by_git": origin.git,
            "command": origin.command,
        },
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)


def read_front_matter(text: str) -> dict[str, Any]:
    """What stands under `pstl` in a card. Raises: ValueError if it has no such front matter."""
    _, fence, rest = text.partition(FENCE)
    content = yaml.safe_load(rest.partition("\n" + FENCE)[0]) if fence else None
    if not isinstance(content, dict) or not isinstance(content.get("pstl"), dict):
        raise ValueError("no front matter of this project")
    facts: dict[str, Any] = content["pstl"]
    return facts


def facts_of(weights: Weights) -> dict[str, Any]:
    """What an encoder is, expects and comes from, by what a model card calls it."""
    card, encoder, classifier = weights
    origin, skeleton = card.provenance, encoder_file.skeleton_of(card)
    split = origin.get("split", "unknown")
    shape, bodies = f"(T, {skeleton.joints}, 3) metres", f"up to {card.people} bodies"
    parameters = f"{_parameters(weights):,} parameters"
    facts = {
        "method": f"{card.method}, stream {card.stream}",
        "trained on": f"{_dataset(weights)}, split {split}, training side",
        "seed": origin.get("seed", "unknown"),
        "recipe": json.dumps(card.recipe, sort_keys=True),
        "input": f"{shape}, joints of {card.skeleton}, {bodies}",
        "features": encoder.width,
        "encoder": f"{json.dumps(card.encoder, sort_keys=True)}, {parameters}",
        "method's settings": json.dumps(card.settings, sort_keys=True),
        "batch norm": origin.get("batch_norm", "released"),
        "commit": origin.get("git", "unknown"),
        "data checksum": origin.get("data_checksum", "unknown"),
        "run": origin.get("run_id", "unknown"),
    }
    if classifier:
        facts["classifier"] = f"{_whose(weights)}: {', '.join(classifier.classes)}"
    return facts


def licence(dataset: str, imported_from: str = "") -> list[str]:
    """What the owners of the training data ask, as far as this project knows.

    imported_from: the file of released weights that the encoder comes from, if it does.
    """
    if dataset not in dataset_names():
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


def _dataset(weights: Weights) -> str:
    return str(weights.card.provenance.get("dataset", "unknown"))


def _caveats(weights: Weights) -> list[str]:
    """What is to be said of scores with this recipe on the data that were trained on."""
    dataset = _dataset(weights)
    if dataset not in dataset_names():
        return []
    return load_dataset(dataset).spec.caveats(weights.card.recipe)


def _terms(dataset: str) -> tuple[str, bool]:
    """The terms of a data set in a few words, and whether they ask for nothing."""
    if dataset not in dataset_names():
        return f"unknown terms of {dataset}", False
    terms = load_dataset(dataset).spec.licence
    return f"terms of {dataset}: {terms}", terms.startswith(FREE)


def _parameters(weights: Weights) -> int:
    return sum(p.numel() for p in weights.encoder.parameters())


def _whose(weights: Weights) -> str:
    if weights.classifier is None:
        return "none"
    return weights.classifier.by or "the method's own"


def _rounded(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items() if value is not None}


def _measured(weights: Weights, origin: Origin) -> list[str]:
    """Top-1 of this file, of the tables, and of what it must leave behind."""
    if origin.top1 is None:
        return []
    rows = [["this file, by its classifier", f"{origin.top1:.2f}"]]
    rows += [[who, f"{value:.2f}"] for who, value in (origin.beside or {}).items()]
    return [f"Top-1 of {_whose(weights)} on the test clips, percent.", _table(["", "top1"], rows)]


def _makers(imported_from: str) -> str:
    """Who made the weights, and what is asked of who uses them."""
    cite = "cite the paper of the method (CITATION.cff of the project)"
    if imported_from:
        return (
            f"Others trained and released them, as {imported_from}: their licence holds for these "
            f"weights, too; {cite}."
        )
    return f"The code that made them is under the MIT licence; {cite}."


def _scores_table(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [[row["task"], row["setting"], row["metric"], f"{row['value']:.2f}"] for row in rows]
    return _table(["task", "setting", "metric", "value"], cells)


def _table(header: list[str], body: list[list[str]]) -> str:
    lines = []
    for row in [header, ["---"] * len(header), *body]:
        cells = [cell.replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
