"""What every job of the workflow reads and which code it runs.

Used by the rules, the bill and `evaluate`. Free of torch. Folders stand for all files in them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, NamedTuple

from pstl import paths
from pstl.code_hash import code_hash
from pstl.config import CLIP, Cell, Params, Run, digest
from pstl.records import OPENERS, READS
from pstl.registry import (
    dataset_modules,
    declaration,
    is_declared,
    load_dataset,
    names,
    task_traits,
)

Kind = Literal[
    "fetch", "parse", "recordings", "prepare", "leakage", "labels",
    "pretrain", "import", "features", "evaluate", "fuse", "report", "page", "track",
]  # fmt: skip
# The library function of each kind of job lies here.
ENTRY: dict[Kind, str] = {
    "fetch": "data.fetch",
    "parse": "data.parse",
    "recordings": "data.parse",
    "prepare": "data.prepare",
    "leakage": "data.prepare",
    "labels": "data.labels",
    "pretrain": "train.pretrain",
    "import": "hub.import_run",
    "features": "encoding.features",
    "evaluate": "evaluation.run",
    "fuse": "evaluation.fuse",
    "report": "report.build",
    "page": "report.page",
    "track": "tracking.importing",
}


DATASETS = "data.datasets."
# Jobs that name and judge numbers as the tasks of a suite declare them.
OF_SUITES: tuple[Kind, ...] = ("report", "page", "track")


@dataclass(frozen=True)
class Inputs:
    """Files and folders that the evaluation of one cell reads; None: not read."""

    encoder: str | Path | None = None
    array: str | Path | None = None
    features: str | Path | None = None
    recordings: str | Path | None = None
    labels: str | Path | None = None
    snapshots: str | Path | None = None

    def read(self) -> dict[str, str]:
        """Those that are read, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: str(path) for name, path in values if path is not None}


class Job(NamedTuple):
    """One job of the workflow.

    dataset, recipe, task: names of plug-ins.   run: of a pre-training and what follows from it.
    source: dataset/split of the run whose encoder is used, if it is another.
    suite: of tables and pages.
    """

    kind: Kind
    dataset: str = ""
    recipe: str = ""
    run: Run | None = None
    task: str = ""
    source: str = ""
    suite: str = ""


def needs(params: Params, cell: Cell) -> str:
    """What the cell's task needs: a key of READS."""
    return task_traits(params.task_of(cell).kind).needs


def inputs(params: Params, cell: Cell) -> Inputs:
    """What the evaluation of a cell reads; of a fused cell see scores()."""
    run, task = cell.run, params.task_of(cell)
    encoder_run = params.encoder_run(run, cell.source)
    files = {
        "encoder": paths.encoder(encoder_run),
        "array": array(params, run),
        "features": features(params, cell),
        "recordings": recordings(run.dataset),
        "labels": paths.labels(run.dataset, run.split, task.label_rule, run.seed),
        "snapshots": paths.snapshots(encoder_run),
    }
    return Inputs(**{name: files[name] for name in READS[needs(params, cell)]})


def array(params: Params, run: Run) -> str:
    """Folder of the array that a run's clips are in."""
    return paths.array(run.dataset, params.method_of(run).recipe.key)


def features(params: Params, cell: Cell) -> str:
    """The features of a cell's clips by the encoder that its task uses.

    Runs whose seeds have one encoder have one file of it.
    """
    run = params.encoder_run(cell.run, cell.source)
    if cell.source:
        run = cell.run.model_copy(update={"seed": run.seed})
    return paths.features(run, cell.batch_norm, cell.source, params.task_of(cell).pooling)


def features_encoder(params: Params, run: Run, source: str = "") -> str:
    """The encoder that makes a run's features. source: dataset/split of another run's."""
    return paths.encoder(params.encoder_run(run, source))


def recordings(dataset: str) -> str:
    """Folder of a data set's recordings as made: untrimmed where it has any, else its clips."""
    untrimmed = load_dataset(dataset).untrimmed
    return paths.recordings(dataset) if untrimmed else paths.sequences(dataset)


def is_imported(params: Params, run: Run) -> bool:
    """Whether others trained the run's encoder, so that the job `import` makes it."""
    return params.method_of(run).weights is not None


def imported_methods(params: Params) -> set[str]:
    """Method entries of all sound suites whose encoders others trained."""
    imported: set[str] = set()
    for suite in params.sound_suites():
        methods = params.grids[suite].methods.items()
        imported.update(name for name, method in methods if method.weights)
    return imported


def labels(params: Params, run: Run) -> str | None:
    """Which clips are labelled, for a run that trains with a share; its draw is its seed."""
    method = params.method_of(run)
    if method.labels is None:
        return None
    return paths.labels(run.dataset, run.split, method.label_rule, run.seed)


def sides(params: Params, run: Run) -> list[tuple[str, str]]:
    """(data set, split) of every training side that the run's job trains on, its own first."""
    if is_imported(params, run):
        return []
    named = [f"{run.dataset}/{run.split}", *params.method_of(run).corpus]
    return [(side.partition("/")[0], side.partition("/")[2]) for side in dict.fromkeys(named)]


def corpus(params: Params, run: Run) -> list[str]:
    """Folders of the arrays that a run is trained on beside that of its own clips."""
    recipe = params.method_of(run).recipe.key
    return [paths.array(dataset, recipe) for dataset, _ in sides(params, run)[1:]]


def leakages(params: Params, run: Run) -> list[str]:
    """The checks that no clip of a test side is on the training side that the job reads."""
    recipe = params.method_of(run).recipe.key
    return [paths.leakage(dataset, recipe, split) for dataset, split in sides(params, run)]


def scores(params: Params, cell: Cell) -> dict[str, str]:
    """Test scores of each stream of one fused cell, by stream."""
    weights = params.fusion_weights(cell)
    runs = {stream: cell.run.model_copy(update={"stream": stream}) for stream in weights}
    return {stream: paths.scores(replace(cell, run=run)) for stream, run in runs.items()}


def drawn_features(params: Params, suite: str) -> list[str]:
    """The runs' own features, as their encoders give them, which the page draws maps of: those that
    some task reads anyway.
    """
    drawn = set()
    for cell in params.cells(suite):
        own = not cell.fused and not cell.source and params.task_of(cell).pooling == CLIP
        if own and needs(params, cell) == "features":
            drawn.add(features(params, cell))
    return sorted(drawn)


def code(params: Params, job: Job) -> str:
    """Hash of the code that a job runs and of the files of this package that it reads."""
    return code_of(plugins(params, job), job.kind == "fetch")


def code_of(plugins_run: Iterable[str], fetches: bool) -> str:
    """The same of a job that runs these; what differs in nothing else has one hash.

    What declares a data set stands for its module: its section, and the files that say what it is.
    fetches: whether the job copies those files.
    """
    ran = sorted(set(plugins_run))
    said = [code_hash(*(f"pstl.{module}" for module in _translated(ran)))]
    for plugin in ran:
        name = plugin.removeprefix(DATASETS)
        if plugin.startswith(DATASETS) and is_declared(name):
            kind, section = declaration(name)
            said += [digest(section), kind.facts(name, section)]
            said += [kind.state(name, section)] if fetches else []
    return said[0] if len(said) == 1 else digest(said)


def modules(params: Params, job: Job) -> list[str]:
    """Names below `pstl` of what a job runs: its function, and the plug-ins that settings name."""
    return _translated(plugins(params, job))


def plugins(params: Params, job: Job) -> list[str]:
    """What a job runs, data sets by their names."""
    ran = [ENTRY[job.kind], *_data_plugins(job)]
    if job.run and job.kind in ("pretrain", "features", "evaluate"):
        ran += _run_plugins(params, job)
    if job.run and job.kind == "import":
        ran += _import_plugins(params, job.run)
    if job.suite and job.kind in OF_SUITES:
        ran += _table_plugins(params, job.suite)
    return ran


def _translated(ran: list[str]) -> list[str]:
    """Modules: a data set that settings declare is those of its kind."""
    modules_run: list[str] = []
    for plugin in ran:
        name = plugin.removeprefix(DATASETS)
        modules_run += dataset_modules(name) if plugin.startswith(DATASETS) else [plugin]
    return modules_run


def _data_plugins(job: Job) -> Iterator[str]:
    """A data set and a recipe, where the job reads the data set's recordings."""
    if job.dataset:
        yield f"{DATASETS}{job.dataset}"
    if job.kind in ("parse", "recordings", "prepare"):
        yield f"skeletons.{load_dataset(job.dataset).spec.skeleton}"
    if job.recipe:
        yield f"data.recipes.{job.recipe}"


def _run_plugins(params: Params, job: Job) -> Iterator[str]:
    """Method and encoder of a job that uses them, the bodies of its clips, its task."""
    assert job.run is not None
    method = params.method_of(job.run)
    needed, source = "clips", job.source
    if job.task:
        traits = task_traits(job.task)
        needed = traits.needs
        yield f"evaluation.{OPENERS[needed]}"
        yield f"tasks.{job.task}"
        yield from (f"tasks.{probe}" for probe in traits.probes)
    if needed == "features":
        return
    yield f"methods.{method.method}"
    yield f"backbones.{method.encoder.name}"
    for dataset in {job.run.dataset, source.partition("/")[0] or job.run.dataset}:
        yield f"skeletons.{load_dataset(dataset).spec.skeleton}"
    if job.kind == "pretrain":
        for dataset, _ in sides(params, job.run)[1:]:
            yield f"skeletons.{load_dataset(dataset).spec.skeleton}"
    if needed == "recordings":
        yield f"data.recipes.{method.recipe.name}"
        yield f"{DATASETS}{job.run.dataset}"


def _import_plugins(params: Params, run: Run) -> Iterator[str]:
    """What reads the weights, and the encoder and body that they are of."""
    method = params.method_of(run)
    assert method.weights is not None
    yield f"importers.{method.weights.source}"
    yield f"backbones.{method.encoder.name}"
    yield f"{DATASETS}{run.dataset}"
    yield f"skeletons.{load_dataset(run.dataset).spec.skeleton}"


def _table_plugins(params: Params, suite: str) -> Iterator[str]:
    """Tasks, whose metrics tables name, and data sets, whose classes they name."""
    yield from (f"tasks.{name}" for name in names("tasks"))
    for dataset in {cell.run.dataset for cell in params.cells(suite)}:
        yield f"{DATASETS}{dataset}"
