"""What a suite costs before it is run: jobs, hours of the device that was benched, bytes on disk.
Free of torch: the rules ask, too.

Counts of clips come from the data sets' specs, settings from params.yaml, speeds and sizes of
networks from `pstl bench --json FILE`, whose
rows are of a method or of a probe (a task that reads features).
"""

from collections import Counter
from functools import cache
from typing import Any, NamedTuple

from pstl import graph
from pstl.config import Cell, MethodSettings, Params, Plugin, Run, TaskSettings
from pstl.registry import load_dataset, load_recipe
from pstl.skeletons import load as load_skeleton

FLOAT = 4  # bytes
MEAN_FRAMES = 80  # of a recording at native length, as `bench` assumes
BACKWARD = 3  # a training step of a task costs as much as this many encodings of its clips
TUNED_EPOCHS = {
    "finetune": 150,
    "semi": 150,
}  # tasks that train the encoder, and their epochs where params.yaml does not say
LINEAR_EPOCHS = 150  # where params.yaml does not say
LOOK_EVERY = 5  # epochs of a task that trains the encoder, where params.yaml does not say
LOOKING = "looks at test clips"  # kind of hours: of tasks that train the encoder, and of classify
Figures = list[dict[str, Any]]  # rows of bench


class Facts(NamedTuple):
    """Of one data set. clips: training and test clips of each split."""

    clips: dict[str, tuple[int, int]]
    joints: int
    people: int
    classes: int

    def split(self, name: str) -> tuple[int, int]:
        """Training and test clips; of a split whose size the spec does not state, those of the
        first that it states.
        """
        return self.clips.get(name, next(iter(self.clips.values())))

    @property
    def total(self) -> int:
        return max(map(sum, self.clips.values()))


class Cost(NamedTuple):
    """Of one suite. jobs: by rule.   hours: of one benched device, by kind of job.   disk: bytes,
    by kind of file.
    """

    jobs: Counter[str]
    hours: dict[str, float]
    disk: dict[str, float]


@cache
def facts(dataset: str) -> Facts:
    """What the spec says; a data set whose size depends on its settings has the default ones."""
    plugin = load_dataset(dataset)
    spec = plugin.spec
    return Facts(
        plugin.expected(plugin.Config()) or {"": (10_000, 10_000)},
        load_skeleton(spec.skeleton).joints,
        spec.people,
        len(spec.classes),
    )


def frames(recipe: Plugin) -> int:
    """Most frames a recipe's clips have."""
    plugin = load_recipe(recipe.name)
    return plugin.frames(plugin.Config.model_validate(recipe.settings))


def array_bytes(dataset: str, recipe: Plugin) -> int:
    """Size of one recipe's array; on most disks less, as frames beyond a clip's end are holes."""
    known = facts(dataset)
    return known.total * 3 * frames(recipe) * known.joints * known.people * FLOAT


def items(section: MethodSettings, train_clips: int) -> int:
    """Items (clips; bodies for Hi-TRS) that a pre-training goes through in all."""
    train = section.train
    by_epochs = train.epochs * (train.steps_per_epoch * train.batch_size or train_clips)
    return (
        min(by_epochs, train.max_steps * train.accumulate * train.batch_size)
        if train.max_steps
        else by_epochs
    )


def jobs(params: Params, suite: str) -> Counter[str]:
    """Jobs of every rule from nothing to tables, as the rules plan them."""
    runs, cells = params.runs(suite), own_cells(params, suite)
    read = {cell: graph.inputs(params, cell) for cell in cells}
    whole = {cell.run.dataset for cell in cells if read[cell].recordings}
    untrimmed = {dataset for dataset in whole if load_dataset(dataset).untrimmed}
    on_clips = [cell.run for cell in cells if not read[cell].recordings]
    arrays = {(run.dataset, graph.array(params, run)) for run in [*runs, *on_clips]}
    trimmed = {dataset for dataset, _ in arrays} | (whole - untrimmed)
    labels = {inputs.labels for inputs in read.values()}
    labels |= {graph.labels(params, run) for run in runs}
    features = {inputs.features for inputs in read.values()}
    fused = len(params.cells(suite)) - len(cells)
    return +Counter(
        {
            "fetch": len(trimmed | untrimmed),
            "parse": len(trimmed),
            "recordings": len(untrimmed),
            "prepare": len(arrays),
            "leakage": len({graph.leakage(params, run) for run in runs}),
            "labels": len(labels - {None}),
            "pretrain": len(runs),
            "features": len(features - {None}),
            "evaluate": len(cells),
            "fuse": fused,
            **dict.fromkeys(("report", "page", "track"), 1),
        }
    )


def own_cells(params: Params, suite: str) -> list[Cell]:
    """Every cell that is not fused."""
    return [cell for cell in params.cells(suite) if not cell.fused]


def cost(params: Params, suite: str, figures: Figures) -> Cost:
    """Everything about one suite; what methods without a figure cost (see unknown()) is left out of
    hours and disk.
    """
    return Cost(jobs(params, suite), _hours(params, suite, figures), _disk(params, suite, figures))


def unknown(params: Params, suite: str, figures: Figures) -> list[str]:
    """Method entries of the suite that train and of which there is no figure."""
    trained = {
        run.method for run in params.runs(suite) if params.method(suite, run.method).train.epochs
    }
    return sorted(name for name in trained if not figure(params, suite, name, figures))


def smaller(params: Params, suite: str, figures: Figures) -> list[str]:
    """Benched methods that the suite's hours rest on and whose own batch did not fit into memory.

    Each with the batch it was done with.
    """
    used = [figure(params, suite, run.method, figures) for run in params.runs(suite)]
    names = {row["method"] for row in used if row}
    rows = [row for row in figures if row.get("method") in names and "own_batch_size" in row]
    cut = [row for row in rows if row["batch_size"] < row["own_batch_size"]]
    return [f"{row['method']} ({row['batch_size']} of {row['own_batch_size']})" for row in cut]


def figure(params: Params, suite: str, name: str, figures: Figures) -> dict[str, Any]:
    """The row of a method entry: its own, or one with the same method and encoder; where nothing is
    trained, one with the encoder.

    Returns: {} if there is no such row.
    """
    section = params.method(suite, name)
    figures = [row for row in figures if "method" in row]
    benched = {row["method"]: params.method(params.suite, row["method"]) for row in figures}
    same_encoder = [
        known for known, other in benched.items() if other.encoder.name == section.encoder.name
    ]
    fits = [
        known
        for known in same_encoder
        if benched[known].method == section.method or not section.train.epochs
    ]
    best = next((known for known in [name, *fits] if known in fits), None)
    return next((row for row in figures if row["method"] == best), {})


def _hours(params: Params, suite: str, figures: Figures) -> dict[str, float]:
    kinds = ("pretrain", "features", "probes", "tasks that train the encoder", LOOKING)
    seconds = dict.fromkeys(kinds, 0.0)
    for run in params.runs(suite):
        section, row = params.method(suite, run.method), figure(params, suite, run.method, figures)
        if row and section.train.epochs:
            rate = row["train_clips_per_second"] * row["items_per_clip"]
            seconds["pretrain"] += items(section, facts(run.dataset).split(run.split)[0]) / rate
    for run, batch_norm in _encoded(params, suite):
        train, test = facts(run.dataset).split(run.split)
        passes = train + test + train * (batch_norm == "recalibrated")
        if row := figure(params, suite, run.method, figures):
            seconds["features"] += passes / row["encode_clips_per_second"]
    for cell in own_cells(params, suite):
        run, batch_norm, task = cell.run, cell.batch_norm, params.task_of(cell)
        row = figure(params, suite, run.method, figures)
        seconds["probes"] += _probe_seconds(params, run, task, row, figures)
        if not row:
            continue
        rate = row["encode_clips_per_second"]
        if task.kind in TUNED_EPOCHS:
            labelled = facts(run.dataset).split(run.split)[0] * task.settings.get("labels", 1.0)
            seen = tuned_epochs(task) * labelled
            seconds["tasks that train the encoder"] += BACKWARD * seen / rate
        seconds[LOOKING] += looked_at(params, run, batch_norm, task) / rate
    return {kind: value / 3600 for kind, value in seconds.items()}


def tuned_epochs(task: TaskSettings) -> int:
    """Epochs of a task that trains the encoder."""
    return int(task.settings.get("train", {}).get("epochs", TUNED_EPOCHS[task.kind]))


def looked_at(params: Params, run: Run, batch_norm: str, task: TaskSettings) -> float:
    """Clips that all looks of a task encode: the test side in every state, and for renewed
    statistics what was trained on.
    """
    train, test = facts(run.dataset).split(run.split)
    section = params.method(run.suite, run.method).train
    if task.kind in TUNED_EPOCHS:
        epochs, every = tuned_epochs(task), task.settings.get("test_every", LOOK_EVERY)
        train *= task.settings.get("labels", 1.0)
    elif task.kind == "classify":
        epochs, every = section.epochs, section.snapshot_every
    else:
        return 0.0
    looks = len({epochs, *(range(every, epochs, every) if every else ())})
    return looks * (2 * test + train if batch_norm == "recalibrated" else test)


def snapshots(section: MethodSettings) -> int:
    """Encoders that a run keeps beside its last."""
    train = section.train
    return train.epochs // train.snapshot_every if train.snapshot_every else 0


def _probe_seconds(
    params: Params, run: Run, task: Any, row: dict[str, Any], figures: Figures
) -> float:
    """Of one task on features, in proportion to the benched one; 0 where that is not known."""
    timed = next((probe for probe in figures if probe.get("task") == task.kind), None)
    width = feature_width(params, run, row)
    if timed is None or width is None:
        return 0.0
    known = facts(run.dataset)
    train, test = known.split(run.split)
    epochs = task.settings.get("epochs", LINEAR_EPOCHS)
    size = {
        "train": train,
        "test": test,
        "width": width,
        "classes": known.classes,
        "epochs": epochs,
    }
    return float(timed["seconds"] * probe_work(task.kind, size) / probe_work(task.kind, timed))


def probe_work(kind: str, size: dict[str, Any]) -> float:
    """What the time of a probe is proportional to. size: {train, test, width, classes, epochs}."""
    train, test, weights = size["train"], size["test"], size["width"] * size["classes"]
    if kind == "linear":  # forwards and backwards, and a test every epoch
        return float(size["epochs"] * (3 * train + test) * weights)
    if kind == "probe":  # as many iterations
        return float(train * weights)
    return float(train * test * (size["width"] if kind == "knn" else 1))  # retrieval sorts


def feature_width(params: Params, run: Run, row: dict[str, Any]) -> int | None:
    """Numbers that stand for a clip: a benched encoder's, or the recipe's coordinates where there
    are no weights; else None.
    """
    section = params.method(run.suite, run.method)
    if not row and section.train.epochs:
        return None
    known = facts(run.dataset)
    return int(row.get("features", 3 * frames(section.recipe) * known.joints * known.people))


def uncounted(params: Params, suite: str, figures: Figures) -> list[str]:
    """Kinds of task in the suite whose own hours are not counted."""
    known = {row["task"] for row in figures if "task" in row} | set(TUNED_EPOCHS) | {"classify"}
    kinds = {params.task_of(cell).kind for cell in own_cells(params, suite)}
    return sorted(kinds - known)


def _encoded(params: Params, suite: str) -> set[tuple[Run, str]]:
    """Runs and batch-norm variants of which features are stored."""
    cells = own_cells(params, suite)
    return {(c.run, c.batch_norm) for c in cells if graph.inputs(params, c).features}


def _disk(params: Params, suite: str, figures: Figures) -> dict[str, float]:
    """At most: arrays without holes, every run's checkpoints (two, of weights and two moments) at
    once.
    """
    disk = dict.fromkeys(
        ("sequences", "arrays", "checkpoints while training", "encoders", "features", "scores"), 0.0
    )
    runs = params.runs(suite)
    for dataset in {run.dataset for run in runs}:
        known = facts(dataset)
        disk["sequences"] += known.total * MEAN_FRAMES * known.joints * known.people * 3 * FLOAT
    recipes = {
        (run.dataset, recipe.key): recipe
        for run in runs
        for recipe in [params.method(suite, run.method).recipe]
    }
    disk["arrays"] += sum(array_bytes(dataset, recipe) for (dataset, _), recipe in recipes.items())
    for run in runs:
        row = figure(params, suite, run.method, figures)
        kept = 1 + snapshots(params.method(suite, run.method))
        disk["encoders"] += kept * row.get("encoder_parameters", 0) * FLOAT
        if row and params.method(suite, run.method).train.epochs:
            disk["checkpoints while training"] += 2 * 3 * row["parameters"] * FLOAT
    for run, _ in _encoded(params, suite):
        known = facts(run.dataset)
        width = feature_width(params, run, figure(params, suite, run.method, figures))
        disk["features"] += sum(known.split(run.split)) * (width or 0) * FLOAT
    for cell in params.cells(suite):
        known = facts(cell.run.dataset)
        disk["scores"] += known.split(cell.run.split)[1] * known.classes * FLOAT
    return disk


def text(params: Params, suite: str, figures: Figures) -> str:
    """The bill."""
    found = cost(params, suite, figures)
    devices = sorted(
        {
            f"{row['device']}, {row['threads']} thread{'s' * (row['threads'] != 1)}"
            for row in figures
        }
    )
    changes = params.suite_named(suite).methods
    changed = sorted(
        name for name, entry in changes.items() if {"encoder", "settings", "recipe"} & set(entry)
    )
    lines = [f"{suite}: {sum(found.jobs.values()):,} jobs", *_column(found.jobs, "d")]
    lines += [f"hours of one device ({'; '.join(devices)})", *_column(found.hours, ".1f")]
    lines += [
        "GiB on disk at most, recordings as they came not counted",
        *_column({k: v / 2**30 for k, v in found.disk.items()}, ".1f"),
    ]
    if missing := unknown(params, suite, figures):
        lines.append(
            f"not in hours and disk, because bench has no figure of it: {', '.join(missing)}"
        )
    if others := uncounted(params, suite, figures):
        lines.append(f"not in hours: {', '.join(others)}")
    if small := smaller(params, suite, figures):
        lines.append(f"benched in smaller batches than trained with: {', '.join(small)}")
    if changed:
        lines.append(f"hours are for the papers' settings; this suite changes {', '.join(changed)}")
    return "\n".join(lines) + "\n"


def _column(values: dict[str, Any], form: str) -> list[str]:
    total = {"together": sum(values.values())} if form != "d" else {}
    return [f"  {name:<30}{value:>12,{form}}" for name, value in {**values, **total}.items()]
