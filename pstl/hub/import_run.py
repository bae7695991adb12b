"""The encoder of a run whose method entry names weights that others trained."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pstl.config import MethodSettings, Params, Plugin, Run, WeightFile, Weights, digest, validated
from pstl.data.weights import obtain
from pstl.errors import UserError
from pstl.files import checksum, write_record
from pstl.hub.import_weights import Released, Told, read_released
from pstl.provenance import git_hash, machine, versions
from pstl.registry import load as load_plugin
from pstl.registry import load_dataset
from pstl.train import curve, encoder_file, snapshots
from pstl.train.encoder_file import EncoderCard

SHOWN = 12  # digits of a checksum in rows


def import_run(
    params: Params, run: Run, out: str | Path, archives: Sequence[str | Path] = ()
) -> EncoderCard:
    """Obtain the weights that a run's method entry names, and write them as pre-training would.

    out: encoder.pt; run.json, an empty curve.jsonl and an empty snapshots.zip appear beside it.
    archives: folders searched for the file before it is downloaded.
    Raises: UserError for a run without weights, a file that is not there or another one than it
    should be, or an encoder that is not the entry's.
    """
    began = time.monotonic()
    section = params.method_of(run)
    weights, file = _named(run, section)
    path = obtain(file, archives)
    dataset = weights.trained_on.partition("/")[0]
    body = load_dataset(dataset).spec.skeleton
    told = Told(body, run.stream, dataset, file.part)
    released = read_released(weights.source, path, told)
    _check_entry(run, section, released.card)
    card = replace(
        released.card,
        recipe=section.recipe.model_dump(),
        people=weights.people or released.card.people,
        provenance=_provenance(run, section, file, path),
    )
    _check_people(run, released, card)
    _write(Path(out), section, released._replace(card=card), time.monotonic() - began)
    return card


def _named(run: Run, section: MethodSettings) -> tuple[Weights, WeightFile]:
    """What the entry says of the run's stream. Raises: UserError if it names no such file."""
    weights = section.weights
    if weights is None:
        raise UserError(f"{run}: methods.{run.method} names no weights; it is trained by pretrain")
    if f"{run.dataset}/{run.split}" != weights.trained_on:
        expected = f"expected a run of {weights.trained_on}, which they were trained on"
        raise UserError(f"{run}: the weights of methods.{run.method}: {expected}")
    if run.stream not in weights.files:
        known = ", ".join(weights.files)
        raise UserError(f"{run}: methods.{run.method} names weights of {known} only")
    return weights, weights.files[run.stream]


def _check_entry(run: Run, section: MethodSettings, card: EncoderCard) -> None:
    """Raises: UserError if the file holds another method, encoder or recipe than the entry.

    The entry may set the recipe otherwise than the encoder was trained with, to suit other data.
    """
    stated = {
        "method": (section.method, card.method),
        "encoder": tuple(_full("backbones", part) for part in (section.encoder, card.encoder)),
        "recipe": (section.recipe.name, Plugin.model_validate(card.recipe).name),
    }
    for name, (ours, theirs) in stated.items():
        if ours != theirs:
            raise UserError(
                f"{run}: methods.{run.method} has the {name} {ours}, its weights are of {theirs}; "
                "correct the entry, or name other weights"
            )


def _check_people(run: Run, released: Released, card: EncoderCard) -> None:
    """Raises: UserError if the encoder is another one for so many bodies."""
    trained = {name: value.shape for name, value in released.encoder.state_dict().items()}
    built = {name: value.shape for name, value in encoder_file.build(card).state_dict().items()}
    if built != trained:
        raise UserError(
            f"{run}: weights.people {card.people}, but the encoder is one for "
            f"{released.card.people}; leave it out"
        )


def _full(kind: str, part: Plugin | dict[str, Any]) -> dict[str, Any]:
    """A plug-in with all its settings, those that nobody states too."""
    plugin = Plugin.model_validate(part)
    config = load_plugin(kind, plugin.name).Config
    cfg = validated(config, plugin.settings, f"encoder {plugin.name}")
    return {"name": plugin.name, **cfg.model_dump(mode="json")}


def _provenance(run: Run, section: MethodSettings, file: WeightFile, path: Path) -> dict[str, Any]:
    """Where the encoder comes from, under the names that pre-training uses.

    weights: as rows of results have it.
    """
    assert section.weights is not None
    shaping = [section.model_dump(mode="json"), run.stream]
    settings_digest = digest(shaping)
    return {
        "run": str(run),
        "run_id": digest([str(run), settings_digest]),
        "settings_digest": settings_digest,
        "dataset": run.dataset,
        "split": run.split,
        "seed": run.seed,
        "git": git_hash(),
        "precision": "",
        "epochs": 0,
        "imported_from": path.name,
        "imported_by": section.weights.source,
        "url": file.url,
        "sha256": file.sha256,
        "weights": f"{path.name} sha256:{file.sha256[:SHOWN]}",
    }


def _write(out: Path, section: MethodSettings, released: Released, seconds: float) -> None:
    """Everything that pre-training writes, encoder.pt last."""
    card, encoder, classifier = released
    curve.write(out.with_name("curve.jsonl"), [])
    facts = {
        **card.provenance,
        "settings": section.model_dump(mode="json"),
        "device": "",
        "peak_mb": 0.0,
        "seconds": seconds,
        "ended": time.time(),
        "versions": versions(),
        "machine": machine(),
        "finished": True,
        "parameters": sum(p.numel() for p in encoder.parameters()),
        "recipe": card.recipe,
        "stream": card.stream,
        "files": {"curve.jsonl": checksum(out.with_name("curve.jsonl"))},
    }
    write_record(out.with_name("run.json"), facts)
    snapshots.pack(out, card, ())
    encoder_file.save(out, card, encoder, classifier)
