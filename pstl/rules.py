"""What the rules in workflow/ call: from options and wildcards to settings, files and code.

What a job reads and which code it runs stands in pstl/graph.py. Free of torch.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import VERSION as PYDANTIC
from pydantic import BaseModel

from pstl import config, graph, paths
from pstl.code_hash import package_hash
from pstl.config import Cell, MethodSettings, Params, Plugin, Run, TaskSettings, digest
from pstl.environment import SNAKEMAKE
from pstl.errors import UserError
from pstl.files import Kind as FileKind
from pstl.files import read_text, write_text
from pstl.graph import Job, Kind

Wildcards = Any  # Snakemake's: an attribute for each wildcard
RECORD = FileKind("record of settings that were checked", "remove it")
OPTIONS = ("suite", "params", "archives")


class Options(NamedTuple):
    """What `snakemake --config` was given. params: settings file.   suite: "" for the file's own.

    archives: folders; None: those of the settings file.
    """

    params: str = "params.yaml"
    suite: str = ""
    archives: tuple[str, ...] | None = None

    @property
    def settings(self) -> str:
        """What every job is given as --params: also the suite's file, where it lies elsewhere."""
        return config.params_with(os.path.abspath(self.params), self.suite)


def options(given: Mapping[str, Any]) -> Options:
    """Options from --config, which is YAML: a folder's name may have become a number or a date.

    Raises: UserError for an unknown key, or a value that is no name.
    """
    if unknown := set(given) - set(OPTIONS):
        keys = "suite=NAME, params=FILE, archives=FOLDER"
        raise UserError(f"--config {', '.join(sorted(unknown))}: unknown; known: {keys}")
    folders = given.get("archives") or []
    archives = folders if isinstance(folders, list) else [folders]
    names = [(key, given[key]) for key in OPTIONS[:2] if key in given]
    for key, value in [*names, *(("archives", folder) for folder in archives)]:
        if not isinstance(value, str):
            kind = type(value).__name__
            hint = f"expected a name; put it in quotes: '{key}=\"{value}\"'"
            raise UserError(f"--config {key}={value}: read as {kind}, {hint}")
    chosen = tuple(archives) if "archives" in given else None
    return Options(given.get("params", Options().params), given.get("suite", ""), chosen)


def load_checked(given: Mapping[str, Any], plugins: bool) -> tuple[Options, Params, str]:
    """Options, settings and the suite to run, checked before the first job.

    given: of --config.   plugins: check the settings of plug-ins, too.
    A UserError becomes one line and exit code 2.
    """
    try:
        chosen = options(given)
        params = config.load(chosen.settings)
        suite = config.suite_name(chosen.suite or params.suite)
        params.suite_named(suite)
        if plugins:
            check_plugins_once(params, suite)
    except UserError as error:
        sys.stderr.write(f"pstl: {error}\n")
        raise SystemExit(2) from None
    return chosen, params, suite


def check_plugins_once(params: Params, suite: str) -> None:
    """Check the settings of plug-ins, which imports torch, unless they passed with this code.

    Raises: UserError naming the key, what was found and what was expected.
    """
    state = digest([params.content(), suite, package_hash(), PYDANTIC])
    record = Path(".snakemake", f"checked-{suite}")
    if record.exists() and read_text(record, RECORD) == state:
        return
    config.check_plugins(params, suite)
    write_text(record, state)


def prologue(options: Options, params: Params, root: str, stored: bool) -> str:
    """What stands before every shell line of a rule, so that the line can also be typed by hand.

    The user's options are here and not in the rules: they say where settings and archives lie, not
    what they are, so changing them is no reason to run a job again.
    root: folder of the Snakefile.   stored: jobs work on local copies of what object storage holds.
    """
    settings = shlex.quote(options.settings)
    folders = params.archives if options.archives is None else options.archives
    archives = f" --archives {shlex.join(folders)}" if folders else ""
    lines = [
        # a failing command fails its job although its output goes through tee
        "set -euo pipefail;",
        # jobs run under the Python that runs Snakemake
        f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH;",
        # workflow/resume.py knows by this whose jobs outlived a killed Snakemake
        f"export {SNAKEMAKE}={os.getpid()};",
        "pstl() { case $1 in",
        f'fetch) python -m pstl fetch --params {settings} "${{@:2}}"{archives};;',
        f'*) python -m pstl "$1" --params {settings} "${{@:2}}";; esac; }};',
    ]
    if stored:  # what reads a whole suite goes to the copies' folder; MLflow's own store stays here
        lines += [
            f"export PYTHONPATH={shlex.quote(root)}${{PYTHONPATH:+:$PYTHONPATH}};",
            'export MLFLOW_TRACKING_URI="${MLFLOW_TRACKING_URI:-sqlite:///$PWD/mlflow.db}";',
        ]
    return " ".join(lines) + " "


def section(value: BaseModel | Mapping[str, Any]) -> str:
    """Settings as text: Snakemake compares it with what the job ran with; an edit runs it again."""
    content = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return json.dumps(content, sort_keys=True)


class Rules:
    """What the rules ask about jobs of one params.yaml.

    stored: inputs and outputs lie in object storage, where every file is an input or output of its
    own; elsewhere a folder's meta.json stands for what lies beside it.
    """

    def __init__(self, params: Params, stored: bool = False) -> None:
        self.params, self.stored = params, stored
        self._codes: dict[Job, str] = {}
        self._cells: dict[str, dict[str, Cell]] = {}

    # --- what a job is about ---

    def run(self, wildcards: Wildcards) -> Run:
        """The run of a job that has one in its wildcards."""
        return Run.parse(f"{wildcards.suite}/{wildcards.run}")

    def split(self, wildcards: Wildcards) -> str:
        return self.run(wildcards).split

    def method(self, wildcards: Wildcards) -> MethodSettings:
        """Settings of the run's method."""
        return self.params.method_of(self.run(wildcards))

    def cell(self, wildcards: Wildcards) -> Cell:
        """The cell whose rows a job makes. Raises: UserError if the suite has no such cell."""
        run = getattr(wildcards, "run", None) or wildcards.fused_run
        folder = f"{paths.results(wildcards.suite)}/runs/{run}"
        path = f"{folder}/{wildcards.batch_norm}/{wildcards.cell}.json"
        cells = self._cells_of(wildcards.suite)
        if path not in cells:
            raise UserError(
                f"{path}: suite {wildcards.suite} has no such cell; see its experiments"
            )
        return cells[path]

    def _cells_of(self, suite: str) -> dict[str, Cell]:
        """Every cell of a suite, by the path of its rows."""
        if suite not in self._cells:
            cells = self.params.cells(suite)
            self._cells[suite] = {paths.metrics(cell): cell for cell in cells}
        return self._cells[suite]

    def task(self, wildcards: Wildcards) -> TaskSettings:
        """Settings of the cell's task."""
        return self.params.task_of(self.cell(wildcards))

    def cell_options(self, wildcards: Wildcards) -> str:
        """The axes of the cell as options of the command line."""
        cell = self.cell(wildcards)
        words = ["--task", cell.task, "--batch-norm", cell.batch_norm]
        words += ["--share", f"{cell.labels:g}"] if cell.labels is not None else []
        words += ["--source", cell.source] if cell.source else []
        words += ["--protocol", "common"] if self.params.is_common(cell) else []
        return " ".join(words)

    @cached_property
    def _recipes(self) -> dict[str, Plugin]:
        """Every recipe in use, by its folder name."""
        runs = [run for suite in self.params.suites for run in self.params.runs(suite)]
        used = [self.params.method_of(run).recipe for run in runs]
        return {recipe.key: recipe for recipe in used}

    # --- the code it runs ---

    def code(self, kind: Kind) -> Callable[[Wildcards], str]:
        """A function of the wildcards: the hash of the code that a job of this kind runs."""

        def code(wildcards: Wildcards) -> str:
            job = self._job(kind, wildcards)
            if job not in self._codes:
                self._codes[job] = graph.code(self.params, job)
            return self._codes[job]

        return code

    def _job(self, kind: Kind, wildcards: Wildcards) -> Job:
        dataset, recipe = getattr(wildcards, "dataset", ""), getattr(wildcards, "recipe", "")
        if kind in ("pretrain", "features"):
            source = self._source(wildcards) if kind == "features" else ""
            return Job(kind, run=self.run(wildcards), source=source)
        if kind == "evaluate":
            cell = self.cell(wildcards)
            return Job(kind, run=cell.run, task=self.task(wildcards).kind, source=cell.source)
        if kind == "prepare":
            return Job(kind, dataset, self._recipes[recipe].name)
        suite = wildcards.suite if kind in ("report", "page") else ""
        return Job(kind, dataset, suite=suite)

    # --- its settings ---

    def dataset_settings(self, wildcards: Wildcards) -> str:
        return section(self.params.dataset(wildcards.dataset))

    def recipe_settings(self, wildcards: Wildcards) -> str:
        return section(self._recipes[wildcards.recipe])

    def method_settings(self, wildcards: Wildcards) -> str:
        return section(self.method(wildcards))

    def task_settings(self, wildcards: Wildcards) -> str:
        """Without what only the tables say of the task."""
        return section(self.task(wildcards).model_dump(mode="json", exclude={"summary"}))

    def fusion_settings(self, wildcards: Wildcards) -> str:
        """Weight of each stream in one fused cell, as the experiment that asks for it says."""
        return section(self.params.fusion_weights(self.cell(wildcards)))

    def compared_with(self, wildcards: Wildcards) -> str:
        """What the numbers of every method and task of a suite may be compared with."""
        return section(self.params.compared(wildcards.suite))

    # --- the files it reads ---

    def files(self, meta: str) -> list[str]:
        """What a folder's meta.json stands for, where folders are no inputs."""
        return paths.stood_for(meta) if self.stored else []

    def array(self, wildcards: Wildcards) -> str:
        return _meta(graph.array(self.params, self.run(wildcards)))

    def array_files(self, wildcards: Wildcards) -> list[str]:
        return self.files(self.array(wildcards))

    def leakage(self, wildcards: Wildcards) -> str:
        return graph.leakage(self.params, self.run(wildcards))

    def labels(self, wildcards: Wildcards) -> list[str]:
        """Which clips are labelled, for a run that sees a share of the labels."""
        path = graph.labels(self.params, self.run(wildcards))
        return [] if path is None else [path]

    def labels_option(self, wildcards: Wildcards) -> str:
        return " ".join(f"--labels {path}" for path in self.labels(wildcards))

    def features_encoder(self, wildcards: Wildcards) -> str:
        """The encoder that makes a run's features: its own, or the one `origin` names."""
        return graph.features_encoder(self.params, self.run(wildcards), self._source(wildcards))

    def _source(self, wildcards: Wildcards) -> str:
        """dataset/split of the run whose encoder makes features; empty: the run's own."""
        return str(wildcards.origin.removeprefix("/from/"))

    def inputs(self, wildcards: Wildcards) -> dict[str, Any]:
        """What a task reads, with the files beside it; a folder's meta.json stands for it."""
        read = graph.inputs(self.params, self.cell(wildcards)).read()
        named = {name: _meta(path) for name, path in read.items()}
        files = [path for meta in named.values() for path in self.files(meta)]
        return {**named, "files": files}

    def input_options(self, wildcards: Wildcards, input: Mapping[str, Any]) -> str:
        """The same as options of the command line; Snakemake knows where their copies lie."""
        read = graph.inputs(self.params, self.cell(wildcards)).read()
        given = {name: str(input[name]).removesuffix("/meta.json") for name in read}
        return " ".join(f"--{name} {path}" for name, path in given.items())

    def reads_encoder(self, wildcards: Wildcards) -> bool:
        """Whether a task works on clips or recordings, and may train."""
        return graph.inputs(self.params, self.cell(wildcards)).encoder is not None

    def scores(self, wildcards: Wildcards) -> dict[str, str]:
        """Test scores of each stream of one fused cell, by stream."""
        return graph.scores(self.params, self.cell(wildcards))

    def scores_options(self, wildcards: Wildcards, input: Mapping[str, Any]) -> list[str]:
        return [f"{stream}={input[stream]}" for stream in self.scores(wildcards)]

    def streams_rows(self, wildcards: Wildcards) -> list[str]:
        """The streams' own rows, which say where the scores come from."""
        scores = self.scores(wildcards).values()
        return [path.removesuffix(".scores.npz") + ".json" for path in scores]

    # --- what the tables read ---

    def rows(self, wildcards: Wildcards) -> list[str]:
        """Rows of every cell of a suite."""
        return list(self._cells_of(wildcards.suite))

    def run_files(self, wildcards: Wildcards) -> list[str]:
        """What pre-training left behind for every run of a suite."""
        folders = [paths.run(run) for run in self.params.runs(wildcards.suite)]
        return [f"{folder}/{name}" for folder in folders for name in ("run.json", "curve.jsonl")]

    def suite_files(self, wildcards: Wildcards) -> list[str]:
        """What tables, page and MLflow read as well: object storage holds what is asked for."""
        if not self.stored:
            return []
        cells = self.params.cells(wildcards.suite)
        scores = [paths.scores(cell) for cell in cells]
        return [*scores, *map(paths.encoder, self.params.runs(wildcards.suite))]

    def drawn_features(self, wildcards: Wildcards) -> list[str]:
        return graph.drawn_features(self.params, wildcards.suite)

    def results_root(self, wildcards: Wildcards, output: Any) -> str:
        """Folder of the `results/` that a job reads: here, or where copies of a storage lie."""
        return output[0].partition(f"{paths.results(wildcards.suite)}/")[0] or "."


def _meta(path: str) -> str:
    """What stands for an input in the graph: a file for itself, meta.json for its folder."""
    return path if os.path.splitext(path)[1] else f"{path}/meta.json"
