"""Pre-training: from a run's settings and its array to the encoder that the tasks use."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pstl import paths
from pstl.config import MethodSettings, Params, Run, TrainSettings, digest, validated
from pstl.data import corpus as corpora
from pstl.data import labels as draws
from pstl.data.loader import Clips
from pstl.data.store import ArraySet, open_array
from pstl.errors import UserError
from pstl.files import checksum, write_record
from pstl.modules import BaseMethod
from pstl.ops.collective import processes
from pstl.provenance import git_hash, machine, versions
from pstl.records import Problem
from pstl.registry import load as load_plugin
from pstl.rng import derive
from pstl.skeletons import load as load_skeleton
from pstl.train import checkpoint, curve, distributed, encoder_file, precision, snapshots
from pstl.train.encoder_file import EncoderCard
from pstl.train.hardware import computed_by, device_name, peak_memory
from pstl.train.loop import History, Session, train


def pretrain(
    params: Params,
    run: Run,
    array: str | Path,
    out: str | Path,
    device: torch.device,
    labels: str | Path | None = None,
    corpus: Sequence[str | Path] = (),
) -> None:
    """Train one run's method on its split's training clips; write encoder.pt and what is beside it.

    corpus: the arrays of the other data sets that the method's entry names.
    labels: file of the labelled clips, where only a fraction of labels is to be seen; its draw is
    the run's seed.
    An interrupted call goes on from last.pt beside `out`, at most one epoch is lost; last.pt goes
    when encoder.pt is there.
    Raises: UserError for an unknown split, a loss that is no longer finite, or a process that
    trains with this one and does not answer.
    """
    out, section = Path(out), params.method_of(run)
    data = training_data(run, section, array, corpus)
    device = distributed.start(device)
    # Before anything is derived from them: what was trained in one format is not continued in
    # another.
    section = section.model_copy(update={"train": precision.chosen(section.train, device)})
    known = known_labels(data, run, section, labels)
    card = card_of(run, section, data, known)
    if section.train.epochs:
        card.provenance.update(computed_by(device, processes()))
    method = build_method(run, section, card, len(data.meta["classes"])).to(device)
    clips = training_clips(data, run, section, method, device, known)
    last, settings_digest = out.with_name("last.pt"), card.provenance["settings_digest"]
    session = Session(str(run), run.seed, last, settings_digest)
    keep = kept_of(section.train, card, method, out)
    with distributed.together():
        history = train(method, clips, section.train, session, keep)
        if distributed.rank() == 0:
            finish(out, card, method, history, section, device)


def training_data(
    run: Run, section: MethodSettings, array: str | Path, corpus: Sequence[str | Path] = ()
) -> ArraySet:
    """The run's array, or the training clips of all data sets where its entry names others.

    Raises: UserError for an array that is not of the corpus, or is missing, or of another recipe;
    or if a clip is trained on that another side tests on.
    """
    data = open_array(array, encodable=True)
    others = {opened.meta["dataset"]: opened for opened in (open_array(o, True) for o in corpus)}
    own = f"{run.dataset}/{run.split}"
    named = dict(side.split("/") for side in section.corpus if side != own)
    if others.keys() != named.keys():
        found, wanted = ", ".join(others) or "none", ", ".join(named) or "none"
        raise UserError(
            f"run {run}: corpus of {found}, methods.{run.method} names {wanted}; "
            "pass the array of each with --corpus"
        )
    for each in others.values():
        _check_recipe(run, section, each)
    sides = [corpora.Side(others[dataset], split) for dataset, split in named.items()]
    return corpora.joined([corpora.Side(data, run.split), *sides])


def _check_recipe(run: Run, section: MethodSettings, data: ArraySet) -> None:
    """Raises: UserError for an array of another recipe than the entry's."""
    made, wanted = data.meta["recipe"], section.recipe.model_dump()
    if made != wanted:
        remedy = "pass the array that 'python -m pstl prepare' made for this recipe"
        raise UserError(f"run {run}: {data.meta['dataset']} by {made}, expected {wanted}; {remedy}")


def known_labels(
    data: ArraySet, run: Run, section: MethodSettings, labels: str | Path | None
) -> np.ndarray | None:
    """Indices (L,) of the clips whose labels the run may see.

    Returns: None for all, or for a method that needs none.
    Raises: UserError for a file without a fraction or the other way round, or of another split,
    rule or draw.
    """
    right = paths.labels(run.dataset, run.split, section.label_rule, run.seed)
    if section.labels is None:
        if labels is not None:
            raise UserError(
                f"{run}: --labels {labels}, but methods.{run.method} names no fraction; "
                "add 'labels: 0.05' to it"
            )
        return None
    if labels is None:
        raise UserError(
            f"{run}: methods.{run.method} sees {section.labels:g} of the labels; "
            f"pass --labels {right}"
        )
    if not load_plugin("methods", section.method).Method.wants.labels:
        raise UserError(
            f"{run}: {section.method} sees no labels; remove 'labels' from methods.{run.method}"
        )
    ranking = draws.read(labels)
    if (ranking.split, ranking.rule, ranking.draw) != (run.split, section.label_rule, run.seed):
        found = f"rule {ranking.rule}, labels of {ranking.split}, draw {ranking.draw}"
        wanted = f"{run.split}, draw {run.seed}, which is the run's seed, rule {section.label_rule}"
        raise UserError(f"{labels}: {found}; expected {wanted}; pass {right}")
    return draws.labelled(ranking, section.labels, data)


def training_clips(
    data: ArraySet,
    run: Run,
    section: MethodSettings,
    method: BaseMethod,
    device: torch.device,
    known: np.ndarray | None = None,
) -> Clips:
    """The training side of the run's split, as the method wants it.

    Labels come along only for methods that ask for them.
    known: (L,) clips whose labels may be seen; a method that learns nothing from clips without
    label gets no others.
    """
    train, _ = data.sides(run.split)
    if data.meta["dataset"] != run.dataset or data.meta["recipe"] != section.recipe.model_dump():
        made = (data.meta["dataset"], data.meta["recipe"])
        wanted = (run.dataset, section.recipe.model_dump())
        remedy = "pass the array that 'python -m pstl prepare' made for this recipe"
        raise UserError(f"run {run}: array of {made}, expected {wanted}; {remedy}")
    wants = method.wants
    chosen = train if known is None or wants.unlabelled_clips else known
    clips = Clips(data, chosen, device, wants, known, section.labels)
    if not len(clips):
        missing = f"no training clip has {wants.shortest} frames and a body in it"
        raise UserError(f"run {run}: {missing}; {section.method} needs both")
    return clips


def card_of(
    run: Run, section: MethodSettings, data: ArraySet, known: np.ndarray | None = None
) -> EncoderCard:
    """The run's encoder card, with the digest of everything that shapes its weights.

    known: (L,) clips whose labels may be seen.
    """
    shaping = [
        section.model_dump(mode="json"),
        run.seed,
        run.stream,
        run.dataset,
        run.split,
        data.meta["checksum"],
    ]
    if known is not None:
        shaping.append(known.tolist())
    if "corpus" in data.meta:
        shaping.append(data.meta["corpus"])
    settings_digest = digest(shaping)
    provenance: dict[str, Any] = {
        "run": str(run),
        "run_id": digest([str(run), settings_digest]),
        "settings_digest": settings_digest,
        "data_checksum": data.meta["checksum"],
        "dataset": run.dataset,
        "split": run.split,
        "seed": run.seed,
        "git": git_hash(),
        "precision": section.train.precision if section.train.epochs else "",
    }
    if "corpus" in data.meta:
        provenance["corpus"] = data.meta["corpus"]
    if known is not None:
        assert section.labels is not None  # else there is no file to know them from
        provenance["labelled"] = draws.record(
            section.label_rule, section.labels, run.seed, [data.names[i] for i in known]
        )
    module = load_plugin("methods", section.method)
    cfg = validated(module.Config, section.settings, f"methods.{run.method}.settings")
    return EncoderCard(
        method=section.method,
        settings=cfg.model_dump(mode="json"),
        encoder=section.encoder.model_dump(),
        recipe=section.recipe.model_dump(),
        skeleton=data.meta["skeleton"],
        people=data.meta["people"],
        frames=module.Method.frames(cfg, data.x.shape[2]),
        stream=run.stream,
        provenance=provenance,
    )


def build_method(run: Run, section: MethodSettings, card: EncoderCard, classes: int) -> BaseMethod:
    """Encoder and method, initialised from the run's seed and nothing else."""
    module = load_plugin("methods", section.method)
    cfg = validated(module.Config, section.settings, f"methods.{run.method}.settings")
    if mismatch := module.Method.mismatch(cfg, section.train):
        raise UserError(f"methods.{run.method}: {mismatch}")
    problem = Problem(load_skeleton(card.skeleton), card.people, card.frames, classes, card.stream)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(run.seed, "init"))
        method: BaseMethod = module.Method(cfg, encoder_file.build(card), problem)
    return method


def kept_of(
    settings: TrainSettings, card: EncoderCard, method: BaseMethod, out: Path
) -> Callable[[History], None]:
    """What pre-training writes after every epoch.

    The curve so far, and the encoder where a snapshot is due.
    """

    def keep(history: History) -> None:
        """Write what is due after these epochs."""
        out.with_name("run.json").unlink(missing_ok=True)  # of a training before this one
        curve.write(out.with_name("curve.jsonl"), history)
        if settings.snapshot_every and len(history) % settings.snapshot_every == 0:
            snapshots.keep(out, card, method, len(history))

    return keep


def finish(
    out: Path,
    card: EncoderCard,
    method: BaseMethod,
    history: History,
    section: MethodSettings,
    device: torch.device,
) -> None:
    """Write curve.jsonl, run.json, snapshots.zip, then encoder.pt, and only then remove last.pt."""
    curve.write(out.with_name("curve.jsonl"), history)
    facts: dict[str, Any] = {
        **card.provenance,
        "settings": section.model_dump(mode="json"),
        "device": device_name(device),
        "peak_mb": peak_memory(device),
        "seconds": sum(epoch["seconds"] for epoch in history),
        "ended": time.time(),
        "versions": versions(),
        "machine": machine(),
        "finished": True,
        "parameters": sum(p.numel() for p in method.encoder.parameters()),
        "recipe": card.recipe,
        "stream": card.stream,
        "files": {"curve.jsonl": checksum(out.with_name("curve.jsonl"))},
    }
    write_record(out.with_name("run.json"), facts)
    every, epochs = section.train.snapshot_every, len(history)
    snapshots.pack(out, card, range(every, epochs + 1, every) if every else ())
    encoder_file.save(out, snapshots.at_epoch(card, epochs), method.encoder, method.classifier)
    checkpoint.discard(out.with_name("last.pt"))
    snapshots.clear(out)
