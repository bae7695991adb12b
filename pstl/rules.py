"""What the rules in workflow/ call: from a job's wildcards to its settings, files and code.

What a job reads and which code it runs stands in pstl/graph.py. Free of torch.
"""

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from pstl import graph, paths
from pstl.config import OWN, Cell, MethodSettings, Params, Plugin, Run, TaskSettings
from pstl.errors import UserError
from pstl.graph import Job, Kind

Wildcards = Any  # Snakemake's: an attribute for each wildcard


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
        self._codes: dict[tuple[frozenset[str], bool], str] = {}
        self._cells: dict[str, dict[str, Cell]] = {}

    # --- what a job is about ---

    def run(self, wildcards: Wildcards) -> Run:
        """The run of a job that has one in its wildcards."""
        return Run.parse(f"{wildcards.suite}/{wildcards.run}")

    def split(self, wildcards: Wildcards) -> str:
        """The run's split."""
        return self.run(wildcards).split

    def method(self, wildcards: Wildcards) -> MethodSettings:
        """Settings of the run's method."""
        return self.params.method_of(self.run(wildcards))

    def cell(self, wildcards: Wildcards) -> Cell:
        """The cell whose rows a job makes. Raises: UserError if the suite has no such cell."""
        run = wildcards.get("run") or wildcards.fused_run
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
        by = self.params.protocol_by(cell)
        words += ["--protocol", by] if by != OWN else []
        return shlex.join(words)

    @cached_property
    def _recipes(self) -> dict[str, Plugin]:
        """Every recipe in use, by its folder name."""
        runs = [run for suite in self.params.sound_suites() for run in self.params.runs(suite)]
        used = [self.params.method_of(run).recipe for run in runs]
        return {recipe.key: recipe for recipe in used}

    @property
    def imported(self) -> str:
        """Regular expression of the runs whose encoders others trained."""
        names = sorted(map(re.escape, graph.imported_methods(self.params)))
        return rf"[^/]+/[^/]+/(?:{'|'.join(names)})/.+" if names else "(?!)"

    # --- the code it runs ---

    def code(self, kind: Kind) -> Callable[[Wildcards], str]:
        """A function of the wildcards: the hash of the code that a job of this kind runs."""

        def code(wildcards: Wildcards) -> str:
            ran = frozenset(graph.plugins(self.params, self._job(kind, wildcards)))
            key = (ran, kind == "fetch")
            if key not in self._codes:  # thousands of jobs run the same few plug-ins
                self._codes[key] = graph.code_of(*key)
            return self._codes[key]

        return code

    def _job(self, kind: Kind, wildcards: Wildcards) -> Job:
        dataset, recipe = wildcards.get("dataset", ""), wildcards.get("recipe", "")
        if kind in ("pretrain", "import", "features"):
            source = self._source(wildcards) if kind == "features" else ""
            return Job(kind, run=self.run(wildcards), source=source)
        if kind == "evaluate":
            cell = self.cell(wildcards)
            return Job(kind, run=cell.run, task=self.task(wildcards).kind, source=cell.source)
        if kind == "prepare":
            return Job(kind, dataset, self._recipes[recipe].name)
        suite = wildcards.suite if kind in graph.OF_SUITES else ""
        return Job(kind, dataset, suite=suite)

    # --- its settings ---

    def dataset_settings(self, wildcards: Wildcards) -> str:
        """Settings of the data set."""
        return section(self.params.dataset(wildcards.dataset))

    def recipe_settings(self, wildcards: Wildcards) -> str:
        """Name and settings of the recipe."""
        return section(self._recipes[wildcards.recipe])

    def method_settings(self, wildcards: Wildcards) -> str:
        """Settings of the run's method."""
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
        """meta.json of the array that the run's clips are in."""
        return _meta(graph.array(self.params, self.run(wildcards)))

    def array_files(self, wildcards: Wildcards) -> list[str]:
        """The files beside it, where folders are no inputs."""
        return self.files(self.array(wildcards))

    def corpus(self, wildcards: Wildcards) -> list[str]:
        """meta.json of the other arrays that the run is trained on."""
        return [_meta(array) for array in graph.corpus(self.params, self.run(wildcards))]

    def training_files(self, wildcards: Wildcards) -> list[str]:
        """The files beside all of them, where folders are no inputs."""
        metas = [self.array(wildcards), *self.corpus(wildcards)]
        return [path for meta in metas for path in self.files(meta)]

    def corpus_options(self, wildcards: Wildcards, input: Any) -> str:
        """The other arrays as options of the command line."""
        words: list[str] = []
        for meta in input.corpus:
            words += ["--corpus", str(meta).removesuffix("/meta.json")]
        return shlex.join(words)

    def leakages(self, wildcards: Wildcards) -> list[str]:
        """The checks that no clip of a test side is trained on."""
        return graph.leakages(self.params, self.run(wildcards))

    def labels(self, wildcards: Wildcards) -> list[str]:
        """Which clips are labelled, for a run that sees a share of the labels."""
        path = graph.labels(self.params, self.run(wildcards))
        return [] if path is None else [path]

    def labels_option(self, wildcards: Wildcards) -> str:
        """The same as an option of the command line."""
        words: list[str] = []
        for path in self.labels(wildcards):
            words += ["--labels", path]
        return shlex.join(words)

    def features_encoder(self, wildcards: Wildcards) -> str:
        """The encoder that makes a run's features: its own, or the one `origin` names."""
        return graph.features_encoder(self.params, self.run(wildcards), self._source(wildcards))

    def _source(self, wildcards: Wildcards) -> str:
        """dataset/split of the run whose encoder makes features; empty: the run's own."""
        return str(wildcards.origin.removeprefix("/from/"))

    def pooling_option(self, wildcards: Wildcards) -> str:
        """What a clip's feature is, as an option of the command line; none of what is usual."""
        pooling = wildcards.pooled.rpartition("/")[2]
        return shlex.join(["--pooling", pooling]) if pooling else ""

    def inputs(self, wildcards: Wildcards) -> dict[str, Any]:
        """What a task reads, with the files beside it; a folder's meta.json stands for it."""
        read = graph.inputs(self.params, self.cell(wildcards)).read()
        named = {name: _meta(path) for name, path in read.items()}
        files = [path for meta in named.values() for path in self.files(meta)]
        return {**named, "files": files}

    def input_options(self, wildcards: Wildcards, input: Mapping[str, Any]) -> str:
        """The same as options of the command line; Snakemake knows where their copies lie."""
        read = graph.inputs(self.params, self.cell(wildcards)).read()
        words: list[str] = []
        for name in read:
            words += [f"--{name}", str(input[name]).removesuffix("/meta.json")]
        return shlex.join(words)

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
        """Features that the page draws maps of."""
        return graph.drawn_features(self.params, wildcards.suite)

    def results_root(self, wildcards: Wildcards, output: Any) -> str:
        """Folder of the `results/` that a job reads: here, or where copies of a storage lie."""
        return output[0].partition(f"{paths.results(wildcards.suite)}/")[0] or "."


def _meta(path: str) -> str:
    """What stands for an input in the graph: a file for itself, meta.json for its folder."""
    return path if os.path.splitext(path)[1] else f"{path}/meta.json"
