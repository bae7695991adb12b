# Settings, read and checked once before the first job, and the functions that answer "what does this job depend on?".
import json
import os
import shlex
import sys
from functools import cache
from pathlib import Path

from pstl import config as settings
from pstl import paths
from pstl.errors import UserError
from pstl.provenance import code_hash
from pstl.registry import defines, task_traits

STREAMS = r"(?:joint|bone|motion)"


wildcard_constraints:
    suite=r"[^/]+",
    dataset=r"[^/]+",
    recipe=r"[^/]+",
    split=r"[^/]+",
    group=r"[^/]+/[^/]+/[^/]+",  # dataset/split/method
    run=rf"[^/]+/[^/]+/[^/]+/{STREAMS}/s\d+",  # dataset/split/method/stream/s<seed>
    seed=r"\d+",
    label_rule=r"[^/]+",
    draw=r"\d+",
    batch_norm=r"released|recalibrated",
    task=r"[^/.]+",
    origin=r"(?:/from/[^/]+/[^/]+)?",  # dataset/split of the run whose encoder is used; empty: the run's own


def folders_given():
    """Folders of archives named on the command line, where any are."""
    given = config.get("archives") or []
    return given if isinstance(given, list) else [given]


def check_options():
    """What --config was given: YAML, in which a folder's name may be a number or a date."""
    given = [(key, config[key]) for key in ("suite", "params") if key in config]
    for key, value in [*given, *(("archives", folder) for folder in folders_given())]:
        if not isinstance(value, str):
            raise UserError(
                f"--config {key}={value}: read as {type(value).__name__}, expected a name; put it in quotes: '{key}=\"{value}\"'"
            )


def checked():
    """params.yaml and the suite to run. Plug-ins are checked too, but not again in the jobs a cluster starts (they import torch)."""
    try:
        if unknown := set(config) - {"suite", "params", "archives"}:
            raise UserError(
                f"--config {', '.join(sorted(unknown))}: unknown; known: suite=NAME, params=FILE, archives=FOLDER"
            )
        check_options()
        params = settings.load(config.get("params", "params.yaml"))
        suite = str(config.get("suite", params.suite))
        params.suite_named(suite)
        if workflow.is_main_process:
            settings.check_plugins(params, suite)
        return params, suite
    except UserError as error:
        sys.stderr.write(f"pstl: {error}\n")
        raise SystemExit(2)


PARAMS, SUITE = checked()
STORED = (
    workflow.storage_settings.default_storage_provider is not None
)  # inputs and outputs lie in object storage


def files_of(meta):
    """In object storage every file is an input or output of its own; elsewhere a folder's meta.json stands for what lies beside it."""
    return paths.stood_for(meta) if STORED else []


def folder(wildcards, output):
    """Where `results/` is that a job reads a whole suite from by its name: here, or among the local copies of what object storage holds."""
    return output[0].partition(f"{paths.results(wildcards.suite)}/")[0] or "."


def prologue():
    """What stands before every shell line. Both options of the user are here and not in the rules: they say where settings and
    archives lie, not what they are, so changing them is no reason to run a job again."""
    folders = folders_given() if "archives" in config else PARAMS.archives
    return " ".join(
        [
            "set -euo pipefail;",  # a failing command fails its job although its output goes through tee
            f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH;",  # jobs run under the Python that runs Snakemake
            f"export PSTL_SNAKEMAKE={os.getpid()};",  # workflow/resume.py knows by this whose jobs outlived a killed Snakemake
            f'pstl() {{ python -m pstl "$1" --params {shlex.quote(os.path.abspath(config.get("params", "params.yaml")))} "${{@:2}}"; }};',
            # For what reads a whole suite by its name. MLflow's own store stays where one types.
            'inside() { if [ "$1" != . ]; then',
            f"export PYTHONPATH={shlex.quote(str(workflow.basedir))}${{PYTHONPATH:+:$PYTHONPATH}};",
            'export MLFLOW_TRACKING_URI="${MLFLOW_TRACKING_URI:-sqlite:///$PWD/mlflow.db}"; cd "$1"; fi; "${@:2}"; };',
            f'with_archives() {{ "$@" {shlex.join(["--archives", *folders] if folders else [])}; }}; ',
        ]
    )


shell.prefix(prologue().replace("{", "{{").replace("}", "}}"))  # Snakemake formats it


# Snakemake does not see edits of imported modules: each job carries a hash of the code it runs.
@cache
def code(*modules):
    return code_hash(*(f"pstl.{module}" for module in modules))


def section(value):
    """Settings as text: Snakemake compares it with what the job ran with, and only an edit of this section runs it again."""
    value = value if isinstance(value, dict) else value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True)


def run_of(wildcards):
    return settings.Run.parse(f"{wildcards.suite}/{wildcards.run}")


def method_of(wildcards):
    """Settings of the run's method."""
    return PARAMS.method(wildcards.suite, run_of(wildcards).method)


def task_of(wildcards):
    """Settings of the job's task."""
    return PARAMS.task(wildcards.suite, wildcards.task)


@cache
def recipes():
    """Every recipe in use, by its folder name."""
    runs = [run for suite in PARAMS.suites for run in PARAMS.runs(suite)]
    used = [PARAMS.method(run.suite, run.method).recipe for run in runs]
    return {recipe.key: recipe for recipe in used}


def array_of(wildcards):
    """The array a run reads."""
    return f"{paths.array(run_of(wildcards).dataset, method_of(wildcards).recipe.key)}/meta.json"


def array_files_of(wildcards):
    return files_of(array_of(wildcards))


def encoder_of(wildcards):
    """The encoder that makes a run's features: its own, or the one of the run that `origin` names."""
    run = run_of(wildcards)
    if wildcards.origin:
        dataset, split = wildcards.origin.split("/")[2:]
        run = run.model_copy(update={"dataset": dataset, "split": split})
    return paths.encoder(PARAMS.lent(run))


def needed_by(wildcards):
    """What a task reads, with the files beside it."""
    read = read_by(wildcards)
    return {**read, "files": [path for each in read.values() for path in files_of(each)]}


def read_by(wildcards):
    """Cached features, or an encoder and an array or whole recordings, or both."""
    run, task = run_of(wildcards), task_of(wildcards)
    needs = task_traits(task.kind).needs
    encoder = paths.encoder(PARAMS.encoder_run(run, wildcards.task))
    if needs == "clips":
        return {"encoder": encoder, "array": array_of(wildcards)}
    if needs == "snapshots":
        trained = PARAMS.encoder_run(run, wildcards.task)
        return {
            "encoder": encoder,
            "array": array_of(wildcards),
            "snapshots": paths.snapshots(trained),
        }
    if needs == "labelled_clips":
        return {
            "encoder": encoder,
            "array": array_of(wildcards),
            "labels": paths.labels(run.dataset, run.split, task.label_rule, run.seed),
        }
    if needs == "recordings":
        return {"encoder": encoder, "recordings": recordings_of(run.dataset)}
    features = paths.features(
        run if task.source else PARAMS.lent(run), wildcards.batch_norm, task.source
    )
    return (
        {"encoder": encoder, "array": array_of(wildcards), "features": features}
        if needs == "clips_and_features"
        else {"features": features}
    )


def recordings_of(dataset):
    """A data set's recordings as they were made: untrimmed where it has such, else its clips."""
    untrimmed = any(
        defines("data.datasets", dataset, reader) for reader in ("read_untrimmed", "read_recording")
    )
    folder = paths.recordings(dataset) if untrimmed else paths.sequences(dataset)
    return f"{folder}/meta.json"


def given(wildcards, input):
    """The same as options of the command line; a folder stands for its meta.json."""
    read = {name: str(input[name]) for name in read_by(wildcards)}
    folders = {
        name: os.path.dirname(path) if os.path.basename(path) == "meta.json" else path
        for name, path in read.items()
    }
    return " ".join(f"--{name} {path}" for name, path in folders.items())


def task_code(wildcards):
    """The code of one task, with encoder and method where it does not read cached features."""
    kind, method = task_of(wildcards).kind, method_of(wildcards)
    needs = task_traits(kind).needs
    if needs != "features":
        data = (
            [f"data.recipes.{method.recipe.name}", f"data.datasets.{run_of(wildcards).dataset}"]
            if needs == "recordings"
            else []
        )
        probes = [f"tasks.{probe}" for probe in task_traits(kind).probes]
        return code(
            "evaluation.run",
            f"tasks.{kind}",
            f"methods.{method.method}",
            f"backbones.{method.encoder.name}",
            *data,
            *probes,
        )
    return code("evaluation.run", f"tasks.{kind}")


def labels_of(wildcards):
    """Which clips are labelled, for a run that sees a fraction of the labels; its draw is its seed."""
    run, method = run_of(wildcards), method_of(wildcards)
    return (
        []
        if method.labels is None
        else paths.labels(run.dataset, run.split, method.label_rule, run.seed)
    )


def leakage_of(wildcards):
    """The check that no clip of the run's test side is on its training side."""
    run = run_of(wildcards)
    return paths.leakage(run.dataset, method_of(wildcards).recipe.key, run.split)


def fused_of(wildcards):
    """Weight of each stream in one fused cell, as the experiment that asks for it says."""
    run = settings.Run.parse(f"{wildcards.suite}/{wildcards.group}/3s/s{wildcards.seed}")
    return PARAMS.fusion_weights(run, wildcards.batch_norm, wildcards.task)


def scores_of(wildcards):
    """Test scores of each stream of one fused cell, by stream."""
    folder = f"results/{wildcards.suite}/runs/{wildcards.group}"
    last = f"s{wildcards.seed}/{wildcards.batch_norm}/{wildcards.task}.scores.npz"
    return {stream: f"{folder}/{stream}/{last}" for stream in fused_of(wildcards)}


def fused_rows_of(wildcards):
    """The streams' own rows, which say where the scores come from."""
    return [path.removesuffix(".scores.npz") + ".json" for path in scores_of(wildcards).values()]


def cells_of(wildcards):
    """Rows of every cell of a suite."""
    return [
        paths.metrics(cell.run, cell.batch_norm, cell.task)
        for cell in PARAMS.cells(wildcards.suite)
    ]


def suite_files_of(wildcards):
    """What tables, page and MLflow read as well: in object storage nothing lies about, so it must be asked for."""
    scores = [
        paths.scores(cell.run, cell.batch_norm, cell.task) for cell in PARAMS.cells(wildcards.suite)
    ]
    return (
        [*scores, *(paths.encoder(run) for run in PARAMS.runs(wildcards.suite))] if STORED else []
    )


def run_files_of(wildcards):
    """What pre-training left behind for every run of a suite."""
    folders = [paths.run(run) for run in PARAMS.runs(wildcards.suite)]
    return [f"{folder}/{name}" for folder in folders for name in ("run.json", "curve.jsonl")]


def features_of(wildcards):
    """The runs' own features, which the page draws maps of: those that some task reads anyway."""
    found = set()
    for cell in PARAMS.cells(wildcards.suite):
        task = PARAMS.task(wildcards.suite, cell.task)
        if not cell.fused and not task.source and task_traits(task.kind).needs == "features":
            found.add(paths.features(PARAMS.lent(cell.run), cell.batch_norm))
    return sorted(found)


def assets():
    """A digest of the page's style and script, which no import shows."""
    files = sorted(Path(workflow.basedir, "pstl/report/assets").iterdir())
    return settings.digest({path.name: path.read_text() for path in files})


def published():
    """A digest of the published numbers: as inputs, their paths would depend on where Snakemake is called from."""
    files = sorted(Path(workflow.basedir, "pstl/report/published").glob("*.csv"))
    return settings.digest({path.name: path.read_text() for path in files})
