import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from report.fabricated import (
    FLOOR,
    GRID,
    params,
    run_id,
    write_all,
    write_both_states,
    write_cell,
    write_no_sense,
    write_run,
    write_without,
)

from pstl import paths, report, tracking
from pstl.config import Params
from pstl.errors import UserError
from pstl.report.rows import from_files
from pstl.tracking import live

mlflow = pytest.importorskip(
    "mlflow", reason="mlflow is not installed; it belongs to the workflow extra"
)
SMALL = {**GRID, "seeds": [0, 1], "batch_norm": ["recalibrated"]}


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database made by an import of nothing, and what was said meanwhile. Making it takes longer than any test here."""
    folder, said = tmp_path_factory.mktemp("store"), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
    ):
        tracking.import_runs(params(), "tiny", "receipt.json", f"sqlite:///{folder}/new/mlflow.db")
    return folder / "new" / "mlflow.db", said.getvalue()


@pytest.fixture
def uri(new_store: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of its own for each test, in an empty project. Absolute: MLflow keeps connections by address."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(new_store[0], tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


def active(uri: str) -> list[Any]:
    """Every run of the store, parents and children."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    return list(
        client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1000)
    )


def stored(uri: str) -> dict[str, Any]:
    """Active parent runs by MLflow's id."""
    runs = [run for run in active(uri) if "mlflow.parentRunId" not in run.data.tags]
    assert len({run.data.tags["pstl.run"] + run.data.tags["pstl.run_id"] for run in runs}) == len(
        runs
    )
    return {run.info.run_id: run for run in runs}


def everything(uri: str) -> dict[str, Any]:
    """All that is stored about all runs, histories included."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    return {
        name: (
            run.data.params,
            run.data.tags,
            run.data.metrics,
            {k: len(client.get_metric_history(name, k)) for k in run.data.metrics},
        )
        for name, run in stored(uri).items()
    }


def imported(settings: Params, uri: str) -> dict[str, str]:
    tracking.import_runs(settings, "tiny", "receipt.json", uri)
    runs: dict[str, str] = json.loads(Path("receipt.json").read_text())["runs"]
    return runs


def test_tables_from_the_store_are_the_tables_from_the_files(uri: str) -> None:
    """What a team sees in MLflow and what is printed must be one and the same, cell by cell, holes included."""
    settings = params(
        GRID, FLOOR, {**GRID, "methods": ["psp"], "seeds": [0]}
    )  # which has one stream of the three
    write_all(settings)
    Path(paths.metrics(settings.runs("tiny")[1], "released", "knn")).unlink()
    write_without(settings.cells("tiny")[0], "joints=3;by=deletion", "takes every joint")
    for cell in settings.cells("tiny"):
        if cell.run.method == "raw" or cell.fused:
            write_no_sense(cell, "no weights to fine-tune")
    imported(settings, uri)
    files, store = from_files(settings, "tiny"), tracking.results_from_mlflow(settings, "tiny", uri)
    assert any(row["value"] is None for row in files.rows)
    assert store.rows == files.rows
    report.build(settings, "tiny", "from_files")
    shutil.rmtree("results")
    report.build(settings, "tiny", "from_mlflow", source="mlflow", uri=uri)
    for name in (
        "rows.csv",
        "comparison.csv",
        "comparison.md",
        "summary.json",
        "curves.png",
        "accuracy.png",
        "settings.png",
        "labels.png",
    ):
        assert Path("from_files", name).read_bytes() == Path("from_mlflow", name).read_bytes(), name


def test_the_released_state_of_a_training_comes_back_from_the_store(uri: str) -> None:
    """Rows that came with a cell of the other state must stand in the tables, once."""
    grid = {**SMALL, "streams": ["joint"], "tasks": ["finetune"], "fuse": None}
    for norms in (["recalibrated"], ["released", "recalibrated"]):
        settings = params({**grid, "batch_norm": norms})
        for cell in settings.cells("tiny"):
            if cell.batch_norm == "released":
                write_cell(cell, {"top1": 50.0, "top1_best": 51.0})
            else:
                write_both_states(cell, 60.0)
        tracking.import_runs(settings, "tiny", "receipt.json", uri)
        rows = tracking.results_from_mlflow(settings, "tiny", uri).rows
        assert rows == from_files(settings, "tiny").rows
        assert len(rows) == 8


def test_importing_twice_changes_nothing(uri: str) -> None:
    """The import runs after every suite; a second copy of each run would double every count and mean."""
    settings = params(SMALL, FLOOR)
    write_all(settings)
    first, before, receipt = (
        imported(settings, uri),
        everything(uri),
        Path("receipt.json").read_bytes(),
    )
    assert len(before) == len({str(cell.run) for cell in settings.cells("tiny")})
    assert imported(settings, uri) == first
    assert everything(uri) == before
    assert Path("receipt.json").read_bytes() == receipt


def test_changed_content_takes_the_place_of_the_old(uri: str) -> None:
    """A task run again must not leave its old accuracy in the store beside the new one; other runs stay as they are."""
    settings = params(SMALL)
    write_all(settings)
    first = imported(settings, uri)
    cell = settings.cells("tiny")[0]
    write_cell(cell, {"top1": 77.25, "top5": 90.0, "top1_best": 80.0})
    second = imported(settings, uri)
    changed = run_id(cell.run)
    assert {name for name in first if first[name] != second[name]} == {changed}
    assert set(stored(uri)) == set(second.values())
    assert stored(uri)[second[changed]].data.metrics["recalibrated.linear.top1"] == 77.25
    assert (
        tracking.results_from_mlflow(settings, "tiny", uri).rows
        == from_files(settings, "tiny").rows
    )


def test_earlier_settings_stay_as_history_but_not_in_tables(uri: str) -> None:
    """New settings are a new run; going back to the old ones must bring the old numbers back, not the latest."""
    settings = params({**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None})
    cell = settings.cells("tiny")[0]
    for version, value in ((0, 61.0), (1, 62.0), (0, 61.0)):
        write_run(cell.run, version=version)
        write_cell(cell, {"top1": value}, version=version)
        imported(settings, uri)
        assert [
            row["value"] for row in tracking.results_from_mlflow(settings, "tiny", uri).rows
        ] == [value]
    assert len(stored(uri)) == 2


def test_an_interrupted_import_is_repaired(uri: str) -> None:
    """A run that was half stored when the import was killed must be replaced, not taken for complete."""
    settings = params(SMALL)
    write_all(settings)
    first = imported(settings, uri)
    victim = run_id(settings.runs("tiny")[0])
    client = mlflow.MlflowClient(tracking_uri=uri)
    client.delete_tag(first[victim], "pstl.digest")
    second = imported(settings, uri)
    assert first[victim] != second[victim]
    assert set(stored(uri)) == set(second.values())


def test_values_come_from_the_metrics_of_the_store(uri: str) -> None:
    """The tables must show what MLflow shows, so the number may be kept in one place only."""
    settings = params({**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None})
    write_all(settings)
    (name,) = imported(settings, uri).values()
    mlflow.MlflowClient(tracking_uri=uri).log_metric(name, "recalibrated.knn.top1", 12.5, step=100)
    assert [row["value"] for row in tracking.results_from_mlflow(settings, "tiny", uri).rows] == [
        12.5
    ]


def test_a_run_carries_its_provenance_settings_curves_and_files(uri: str) -> None:
    """A number without commit, data and settings cannot be repeated by whoever finds it in MLflow."""
    settings = params(SMALL)
    write_all(settings)
    ids = imported(settings, uri)
    run = settings.runs("tiny")[0]
    found = stored(uri)[ids[run_id(run)]]
    tags = {
        "git": "0123456789ab",
        "data_checksum": "c" * 64,
        "device": "cpu",
        "settings_digest": "d" * 16,
        "run": str(run),
        "suite": "tiny",
    }
    assert {key: found.data.tags[f"pstl.{key}"] for key in tags} == tags
    assert (
        found.data.params["train.lr"],
        found.data.params["stream"],
        found.data.params["recipe.name"],
    ) == ("0.005", "joint", "resize50")
    client = mlflow.MlflowClient(tracking_uri=uri)
    assert [
        (m.step, m.value) for m in client.get_metric_history(found.info.run_id, "train.loss")
    ] == [(0, 9.5), (1, 4.75), (2, 9.5 / 3)]
    assert [
        m.value
        for m in client.get_metric_history(found.info.run_id, "recalibrated.linear.curve.top1")
    ] == [30.0, 31.0]
    place = Path(found.info.artifact_uri)
    names = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert names == {
        "run.json",
        "curve.jsonl",
        "encoder.pt",
        "recalibrated/linear.json",
        "recalibrated/knn.json",
    }
    assert place.is_relative_to(Path("mlruns/ntu60").absolute())
    assert {e.name for e in client.search_experiments()} == {"Default", "ntu60"}


def test_fused_scores_are_runs_too(uri: str) -> None:
    """The three-stream number is the one papers print; it has no encoder, so its identity comes from its rows."""
    settings = params(SMALL)
    write_all(settings)
    ids = imported(settings, uri)
    fused = [run for run in stored(uri).values() if run.data.params["stream"] == "3s"]
    assert len(fused) == 2
    assert {run.info.run_id for run in fused} == {ids[name] for name in ids if name.count("+") == 2}
    assert all("recalibrated.linear.top1" in run.data.metrics for run in fused)


def test_a_long_curve_is_complete(uri: str) -> None:
    """MLflow takes 1000 numbers a call; a paper-length run has more."""
    settings = params({**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None})
    run = settings.runs("tiny")[0]
    write_run(run, epochs=450)  # times four numbers
    (name,) = imported(settings, uri).values()
    history = mlflow.MlflowClient(tracking_uri=uri).get_metric_history(name, "train.loss")
    assert [m.step for m in history] == list(range(450))
    assert history[-1].value == 9.5 / 450


def test_big_encoders_stay_on_disk(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team server must not fill up with weights that nobody asked it to keep."""
    monkeypatch.setattr(tracking, "LARGEST_ENCODER", 3)
    settings = params(FLOOR)
    write_all(settings)
    (name,) = imported(settings, uri).values()
    assert not list(Path(stored(uri)[name].info.artifact_uri).glob("encoder.pt"))


def test_rows_that_differ_in_their_setting_have_names_of_their_own() -> None:
    """1 and 5 neighbours under one name would overwrite each other."""
    rows = [
        {"batch_norm": "released", "task": "knn", "metric": "top1", "setting": s}
        for s in ("k=1;cosine", "k=5;cosine")
    ]
    assert list(tracking.keyed(rows)) == [
        "released.knn.top1.k-1-cosine",
        "released.knn.top1.k-5-cosine",
    ]
    assert list(tracking.keyed(rows[:1])) == ["released.knn.top1"]


def test_the_store_is_chosen_by_argument_then_params_then_environment(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers must land where the person said, and the nearest word counts."""
    settings = params(FLOOR)
    write_all(settings)
    stores = {
        name: uri.replace("mlflow.db", f"{name}.db")
        for name in ("argument", "params", "environment")
    }
    for name in stores:
        shutil.copy("mlflow.db", f"{name}.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores["environment"])
    imported(settings, "")
    assert [len(stored(store)) for store in stores.values()] == [0, 0, 1]
    named = settings.model_copy(update={"tracking_uri": stores["params"]})
    imported(named, "")
    assert [len(stored(store)) for store in stores.values()] == [0, 1, 1]
    imported(named, stores["argument"])
    assert [len(stored(store)) for store in stores.values()] == [1, 1, 1]


def test_a_new_store_is_made_quietly(new_store: tuple[Path, str]) -> None:
    """The first import on a fresh clone makes folder and database; their migration log is nobody's business."""
    path, said = new_store
    assert path.is_file()
    assert said == ""


def test_reading_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for tables from a store that is not there is a mistake to report, not a reason to create one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no such store.*pstl track"):
        tracking.results_from_mlflow(params(), "tiny", "sqlite:///mlflow.db")
    assert not Path("mlflow.db").exists()


def test_a_store_without_this_suite_is_reported(uri: str) -> None:
    """An empty table from an empty store would look like a suite that failed."""
    with pytest.raises(UserError, match=r"no run of suite 'tiny'.*pstl track"):
        tracking.results_from_mlflow(params(), "tiny", uri)


def test_an_unusable_store_is_one_line_without_its_password(uri: str) -> None:
    """A plain folder was a store once and is refused now; addresses can hold passwords and go to logs."""
    with pytest.raises(UserError) as error:
        tracking.import_runs(params(), "tiny", "receipt.json", "mlruns")
    assert "sqlite:///mlflow.db" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError) as error:
        tracking.import_runs(params(), "tiny", "receipt.json", "nosuch://user:secret@host/x")
    assert "secret" not in str(error.value)
    assert not Path("receipt.json").exists()


def test_every_task_is_a_child_of_its_run(uri: str) -> None:
    """To put linear probes of two methods side by side one needs them as runs; a changed run must not leave old children behind."""
    settings = params(SMALL)
    write_all(settings)
    imported(settings, uri)
    for version in (0, 1):
        parents = stored(uri)
        children = [run for run in active(uri) if run.info.run_id not in parents]
        cells = settings.cells("tiny")
        assert sorted(
            (c.data.tags["pstl.of"], c.data.tags["pstl.task"]) for c in children
        ) == sorted((str(cell.run), f"{cell.batch_norm}.{cell.task}") for cell in cells)
        for child in children:
            parent = parents[child.data.tags["mlflow.parentRunId"]]
            assert (
                child.data.metrics["top1"]
                == parent.data.metrics[child.data.tags["pstl.task"] + ".top1"]
            )
            assert child.data.tags["pstl.git"] == "0123456789ab"
        if not version:
            write_cell(settings.cells("tiny")[0], {"top1": 1.25, "top5": 2.5, "top1_best": 3.0})
            imported(settings, uri)


def test_a_store_that_goes_away_loses_nothing(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases are locked and servers restart in the middle of an import: one line, no receipt, and the next import catches up."""
    settings = params(SMALL)
    write_all(settings)
    real, calls = mlflow.MlflowClient.log_batch, []

    def failing(self: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 20:
            raise mlflow.MlflowException("(sqlite3.OperationalError) database is locked")
        return real(self, *arguments, **named)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", failing)
    with pytest.raises(
        UserError, match=r"database is locked; results are safe in files: import again later"
    ):
        imported(settings, uri)
    assert not Path("receipt.json").exists()
    imported(settings, uri)
    assert (
        tracking.results_from_mlflow(settings, "tiny", uri).rows
        == from_files(settings, "tiny").rows
    )
    assert len(active(uri)) == len(settings.cells("tiny")) + len(
        {cell.run for cell in settings.cells("tiny")}
    )


IMPORT = "from report.fabricated import *; from pstl import tracking; tracking.import_runs(params(FLOOR), 'tiny', sys.argv[1])"


def importer(receipt: str, address: str) -> subprocess.Popen[str]:
    """A process of its own that imports."""
    tests = Path(__file__).parent
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)]),
        "MLFLOW_TRACKING_URI": address,
    }
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; {IMPORT}", receipt],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.integration
def test_eight_processes_import_into_a_store_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight suites end at once on a new machine: without taking turns nearly all of them crash, and runs are stored twice."""
    monkeypatch.chdir(tmp_path)
    write_all(params(FLOOR))
    address = f"sqlite:///{tmp_path}/mlflow.db"
    jobs = [importer(f"{i}.json", address) for i in range(8)]
    said = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 8, said
    assert len({Path(f"{i}.json").read_text() for i in range(8)}) == 1
    assert len(stored(address)) == 1


@pytest.mark.integration
def test_a_server_elsewhere_is_used_by_its_usual_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A team has one server; the tables read back over HTTP must be the tables from the files."""
    monkeypatch.chdir(tmp_path)
    settings = params(FLOOR)
    write_all(settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    server = subprocess.Popen(
        [*command, "--backend-store-uri", "sqlite:///server.db", "--artifacts-destination", str(tmp_path / "kept")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and not answers(port):
            time.sleep(0.5)
        job = importer("receipt.json", address)
        said = job.communicate()[1]
        assert job.returncode == 0, said
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert (
            tracking.results_from_mlflow(settings, "tiny").rows == from_files(settings, "tiny").rows
        )
        assert list((tmp_path / "kept").rglob("encoder.pt"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_run_at_work_is_seen_and_makes_way_for_itself(uri: str) -> None:
    """Who watches a night of training wants its loss so far, once, and no half run left over when it is done; tables never see it."""
    settings = params({**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None})
    run = settings.runs("tiny")[0]
    write_run(run, epochs=4)
    curve, record = (Path(paths.run(run), name) for name in ("curve.jsonl", "run.json"))
    whole, facts = curve.read_text().splitlines(keepends=True), record.read_text()
    record.unlink()
    for epochs in (1, 1, 3):
        curve.write_text("".join(whole[:epochs]))
        assert live.update(settings, "tiny", uri) == [str(run)]
        (seen,) = active(uri)
        assert seen.info.status == "RUNNING"
        client = mlflow.MlflowClient(tracking_uri=uri)
        assert [m.step for m in client.get_metric_history(seen.info.run_id, "train.loss")] == list(
            range(epochs)
        )
        assert len(client.get_metric_history(seen.info.run_id, "system/epoch_seconds")) == epochs
    curve.write_text(whole[0])  # begun anew
    live.update(settings, "tiny", uri)
    assert [run.info.run_id for run in active(uri)] != [seen.info.run_id]
    with pytest.raises(UserError, match="no run of suite 'tiny'"):
        tracking.results_from_mlflow(settings, "tiny", uri)
    curve.write_text("".join(whole))
    record.write_text(facts)
    assert live.update(settings, "tiny", uri) == []
    assert active(uri) == []


def test_watching_survives_a_store_that_comes_and_goes(
    uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A watcher that dies of a restart of the server is found dead in the morning."""
    settings, turns = (
        params({**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None}),
        [],
    )
    write_all(settings)

    def pause(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 2:
            raise KeyboardInterrupt

    addresses = iter(["mlruns", uri])
    monkeypatch.setattr(live.time, "sleep", pause)
    monkeypatch.setattr(
        live, "import_runs", lambda p, s, r, u: tracking.import_runs(p, s, r, next(addresses))
    )
    with pytest.raises(KeyboardInterrupt):
        live.watch(settings, "tiny", 0.5, uri)
    assert turns == [0.5, 0.5]
    assert "mlruns" in caplog.text
    assert len(stored(uri)) == 1
    assert not Path("receipt.json").exists()


def test_the_machine_is_on_its_own_page(uri: str) -> None:
    """MLflow draws what begins with system/ apart from losses; who looks for a slow disk or a full memory looks there."""
    settings = params({**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None})
    write_all(settings)
    (name,) = imported(settings, uri).values()
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = {key for key in client.get_run(name).data.metrics if key.startswith("system/")}
    assert found == {
        "system/seconds",
        "system/epoch_seconds",
        "system/peak_mb",
        "system/cpu_percent",
        "system/clips_per_second",
    }
    assert [m.value for m in client.get_metric_history(name, "system/cpu_percent")] == [98.0] * 3


def test_a_database_that_is_locked_from_the_start_is_one_line(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow lets the error of the database through when it opens a locked one: forty lines, where one tells what to do."""
    from sqlalchemy.exc import OperationalError

    def locked(self: Any, *arguments: Any, **named: Any) -> Any:
        raise OperationalError(
            "SELECT name FROM sqlite_master", {}, Exception("database is locked")
        )

    monkeypatch.setattr(mlflow.MlflowClient, "search_experiments", locked)
    with pytest.raises(
        UserError, match=r"database is locked; results are safe in files: import again later$"
    ):
        tracking.import_runs(params(), "tiny", "receipt.json", uri)
    assert not Path("receipt.json").exists()
