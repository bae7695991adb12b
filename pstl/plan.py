"""What a suite costs before it is run: jobs, hours of the device that was benched, bytes on disk. Free of torch: the rules ask, too.

Counts of clips come from the data sets' specs, everything else from params.yaml and from figures of `pstl bench --json FILE`.
"""

import re
from collections import Counter, defaultdict
from functools import cache
from typing import Any, NamedTuple

from pstl.config import MethodSettings, Params, Plugin, merge
from pstl.errors import UserError
from pstl.registry import declared, defines, load
from pstl.skeletons import load as load_skeleton

FLOAT = 4  # bytes
MEAN_FRAMES = 80  # of a recording at native length: NTU RGB+D 60 has 84 on average
MADE_UP = (600, 600)  # training and test clips of a data set whose settings say how many there are
UNKNOWN = (10_000, 10_000)  # of one whose spec does not say
BACKWARD = 3  # a training step costs as much as this many encodings of its clips
TRAINS = {"finetune": 150, "semi": 150}  # tasks that train an encoder, and their epochs where params.yaml does not say


class Split(NamedTuple):
    """Clips of one split of one data set."""

    train: int
    test: int


class Cost(NamedTuple):
    """Of one suite. hours: of the benched device, by kind of job.   disk: bytes, by kind of file."""

    jobs: Counter[str]
    hours: dict[str, float]
    disk: dict[str, float]


@cache
def clips(dataset: str, split: str) -> Split:
    """How many clips a split has, as the data set's spec says; a guess for one that does not say."""
    if defines("data.datasets", dataset, "expected"):
        return Split(*MADE_UP)
    expected = load("data.datasets", dataset).SPEC.expected
    return Split(*expected.get(split, next(iter(expected.values()), UNKNOWN)))


def frames(recipe: Plugin) -> int:
    """Most frames a recipe's clips have: its setting, or the number its name ends with (resize50, spine300)."""
    named = re.search(r"\d+$", recipe.name)
    return int(recipe.settings.get("frames", named.group() if named else 300))


def array_bytes(dataset: str, recipe: Plugin) -> int:
    """Size of one recipe's array of a whole data set. On disk, frames beyond a clip's end are holes and cost nothing."""
    joints, people = body(dataset)
    total = max(sum(clips(dataset, split)) for split in splits(dataset))
    return total * 3 * frames(recipe) * joints * people * FLOAT


@cache
def body(dataset: str) -> tuple[int, int]:
    """Joints and body slots. Of simulated recordings those of Kinect v2: their module would load torch."""
    if defines("data.datasets", dataset, "expected"):
        return load_skeleton("kinect_v2").joints, 2
    spec = load("data.datasets", dataset).SPEC
    return load_skeleton(spec.skeleton).joints, spec.people


@cache
def splits(dataset: str) -> tuple[str, ...]:
    if defines("data.datasets", dataset, "expected"):
        return ("xsub",)
    return tuple(load("data.datasets", dataset).SPEC.splits)


def items(section: MethodSettings, train_clips: int) -> int:
    """Items (clips; bodies for Hi-TRS) that pre-training goes through in all."""
    train = section.train
    by_epochs = train.epochs * (train.steps_per_epoch * train.batch_size or train_clips)
    return min(by_epochs, train.max_steps * train.accumulate * train.batch_size) if train.max_steps else by_epochs


def jobs(params: Params, suite: str) -> Counter[str]:
    """Jobs of every rule from nothing to tables, as Snakemake plans them."""
    runs, cells = params.runs(suite), params.cells(suite)
    sections = {run: params.method(suite, run.method) for run in {*runs, *(cell.run for cell in cells if not cell.fused)}}
    datasets, arrays, leakage, labels, features = set(), set(), set(), set(), set()
    recordings: set[str] = set()
    for run in runs:
        key = sections[run].recipe.key
        arrays.add((run.dataset, key))
        leakage.add((run.dataset, run.split, key))
        if sections[run].labels is not None:
            labels.add((run.dataset, run.split, run.seed))
    for cell in cells:
        run, task = cell.run, params.task(suite, cell.task)
        if cell.fused:
            continue
        needs = declared("tasks", task.kind, "NEEDS", "features")
        if needs == "features":
            features.add((run, cell.batch_norm, task.source))
        if needs in ("features", "clips", "labels"):
            arrays.add((run.dataset, sections[run].recipe.key))
        if needs == "labels":
            labels.add((run.dataset, run.split, run.seed))
        if needs == "recordings":
            recordings.add(run.dataset)
    untrimmed = {name for name in recordings if any(defines("data.datasets", name, f) for f in ("read_untrimmed", "read_recording"))}
    parsed = {name for name, _ in arrays} | {name for name, *_ in labels} | recordings - untrimmed
    datasets = parsed | untrimmed
    fused = sum(bool(cell.fused) for cell in cells)
    return Counter(
        fetch=len(datasets), parse=len(parsed), recordings=len(untrimmed), prepare=len(arrays), leakage=len(leakage), labels=len(labels),
        pretrain=len(runs), features=len(features), evaluate=len(cells) - fused, fuse=fused, report=1, page=1, track=1,
    )  # fmt: skip


def cost(params: Params, suite: str, figures: list[dict[str, Any]]) -> Cost:
    """Everything about one suite.   figures: rows of `pstl bench --json`, for every method of the suite that trains.

    Raises: UserError naming a method that was not benched.
    """
    counted = jobs(params, suite)
    return Cost(+counted, _hours(params, suite, figures), _disk(params, suite, figures))


def figure(params: Params, suite: str, name: str, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """The benched row of a method entry: its own, or that of an entry with the same module and encoder, e.g. of its base."""
    entries = {row["method"]: row for row in figures}
    section, first = params.method(suite, name), None
    for known in entries:
        if known == name:
            return entries[name]
        other = params.method(params.suite, known)
        if (other.method, other.encoder.name) == (section.method, section.encoder.name):
            first = first or entries[known]
    if first is None and not section.train.epochs:  # never trained: any method with this encoder says how fast it encodes
        first = next(
            (row for known, row in entries.items() if params.method(params.suite, known).encoder.name == section.encoder.name), None
        )
    if first is None and section.train.epochs:
        raise UserError(
            f"no figure for {name}; measured are {', '.join(entries) or 'none'}: python -m pstl bench --method {name} --json FILE"
        )
    return first or {}


def _hours(params: Params, suite: str, figures: list[dict[str, Any]]) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for run in params.runs(suite):
        section, row = params.method(suite, run.method), figure(params, suite, run.method, figures)
        if section.train.epochs:
            rate = row["train_clips_per_second"] * row.get("items_per_clip", 1.0)
            seconds["pretrain"] += items(section, clips(run.dataset, run.split).train) / rate
    for run, batch_norm in {
        (cell.run, cell.batch_norm) for cell in params.cells(suite) if not cell.fused and _read(params, suite, cell.task)
    }:
        split, row = clips(run.dataset, run.split), figure(params, suite, run.method, figures)
        passes = sum(split) + (split.train if batch_norm == "recalibrated" else 0)
        seconds["features"] += passes / row["encode_clips_per_second"] if row else 0.0
    for cell in params.cells(suite):
        task, split = params.task(suite, cell.task), clips(cell.run.dataset, cell.run.split)
        if task.kind in TRAINS and not cell.fused and (row := figure(params, suite, cell.run.method, figures)):
            epochs = merge({"train": {"epochs": TRAINS[task.kind]}}, task.settings)["train"]["epochs"]
            seen = epochs * split.train * float(task.settings.get("labels", 1.0))
            seconds["evaluate (those that train the encoder)"] += BACKWARD * seen / row["encode_clips_per_second"]
    return {kind: value / 3600 for kind, value in seconds.items()}


def _read(params: Params, suite: str, task: str) -> bool:
    return bool(declared("tasks", params.task(suite, task).kind, "NEEDS", "features") == "features")


def _disk(params: Params, suite: str, figures: list[dict[str, Any]]) -> dict[str, float]:
    """Upper bounds: arrays without their holes, the largest checkpoint of every run at once."""
    runs, cells = params.runs(suite), params.cells(suite)
    disk: dict[str, float] = defaultdict(float)
    for dataset in {run.dataset for run in runs}:
        joints, people = body(dataset)
        total = max(sum(clips(dataset, split)) for split in splits(dataset))
        disk["sequences"] += total * MEAN_FRAMES * joints * people * 3 * FLOAT
    used = {
        (run.dataset, params.method(suite, run.method).recipe.key): (run.dataset, params.method(suite, run.method).recipe) for run in runs
    }
    disk["arrays"] += sum(array_bytes(*each) for each in used.values())
    for run in runs:
        row = figure(params, suite, run.method, figures)
        disk["encoders"] += row.get("encoder_parameters", 0) * FLOAT
        if params.method(suite, run.method).train.epochs:  # weights and at most two moments, and the checkpoint before
            disk["checkpoints, while pre-training"] += 2 * 3 * row.get("parameters", 0) * FLOAT
    for run, _ in {(cell.run, cell.batch_norm) for cell in cells if not cell.fused and _read(params, suite, cell.task)}:
        width = figure(params, suite, run.method, figures).get(
            "features", body(run.dataset)[0] * 3 * frames(params.method(suite, run.method).recipe)
        )
        disk["features"] += sum(clips(run.dataset, run.split)) * width * FLOAT
    disk["scores"] += sum(clips(cell.run.dataset, cell.run.split).test * classes(cell.run.dataset) * FLOAT for cell in cells)
    return dict(disk)


@cache
def classes(dataset: str) -> int:
    return 14 if defines("data.datasets", dataset, "expected") else len(load("data.datasets", dataset).SPEC.classes)


def text(params: Params, suite: str, figures: list[dict[str, Any]]) -> str:
    """The bill, as lines."""
    found = cost(params, suite, figures)
    devices = sorted({f"{row['device']}, {row['threads']} thread{'s' * (row['threads'] != 1)}" for row in figures})
    lines = [f"suite {suite}: {sum(found.jobs.values()):,} jobs"]
    lines += [f"  {rule:<12}{count:>8,}" for rule, count in found.jobs.items()]
    lines += [f"hours of one device as benched ({'; '.join(devices)}; papers' settings), no probes"]
    lines += [f"  {kind:<42}{hours:>12,.1f}" for kind, hours in found.hours.items()]
    lines += [f"  {'together':<42}{sum(found.hours.values()):>12,.1f}"]
    lines += ["GiB on disk, at most, without the recordings as they came"]
    lines += [f"  {kind:<42}{size / 2**30:>12,.1f}" for kind, size in found.disk.items()]
    lines += [f"  {'together':<42}{sum(found.disk.values()) / 2**30:>12,.1f}"]
    changed = sorted(name for name in {run.method for run in params.runs(suite)} if _changes_speed(params, suite, name))
    if changed:
        lines += [f"suite {suite} changes what these cost: {', '.join(changed)}; the hours are those of the papers' settings"]
    return "\n".join(lines) + "\n"


def _changes_speed(params: Params, suite: str, name: str) -> bool:
    changes = params.suite_named(suite).methods
    return any(key in changes.get(name, {}) for key in ("encoder", "settings", "recipe"))
