"""Which store it is, how it is made and shared, and what is said when it goes away."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report.fabricated import FLOOR, params, write_all

from pstl.errors import UserError
from pstl.report.rows import from_files
from pstl.tracking.importing import import_runs
from pstl.tracking.reading import results_from_mlflow
from tracking.conftest import SMALL, active, imported, mlflow, stored

IMPORT = (
    "import sys; from report.fabricated import *; from pstl.tracking.importing import import_runs;"
    "import_runs(params(FLOOR), 'tiny', sys.argv[1])"
)


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
    named = replace(settings, tracking_uri=stores["params"])
    imported(named, "")
    assert [len(stored(store)) for store in stores.values()] == [0, 1, 1]
    imported(named, stores["argument"])
    assert [len(stored(store)) for store in stores.values()] == [1, 1, 1]


def test_a_new_store_is_made_quietly(new_store: tuple[Path, str]) -> None:
    """The first import on a fresh clone makes folder and database.

    Their migration log is nobody's business.
    """
    path, said = new_store
    assert path.is_file()
    assert said == ""


def test_an_unusable_store_is_one_line_without_its_password(uri: str) -> None:
    """A plain folder was a store once and is refused now.

    Addresses can hold passwords and go to logs.
    """
    with pytest.raises(UserError) as error:
        import_runs(params(), "tiny", "receipt.json", "mlruns")
    assert "sqlite:///mlflow.db" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError) as error:
        import_runs(params(), "tiny", "receipt.json", "nosuch://user:secret@host/x")
    assert "secret" not in str(error.value)
    assert not Path("receipt.json").exists()


def test_a_store_that_goes_away_loses_nothing(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases are locked and servers restart in the middle of an import: one line, no receipt,
    and the next import catches up.
    """
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
    assert results_from_mlflow(settings, "tiny", uri).rows == from_files(settings, "tiny").rows
    assert len(active(uri)) == len(settings.cells("tiny")) + len(
        {cell.run for cell in settings.cells("tiny")}
    )


def test_a_database_that_is_locked_from_the_start_is_one_line(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow lets the error of the database through when it opens a locked one: forty lines, where
    one tells what to do.
    """
    from sqlalchemy.exc import OperationalError

    def locked(self: Any, *arguments: Any, **named: Any) -> Any:
        raise OperationalError(
            "SELECT name FROM sqlite_master", {}, Exception("database is locked")
        )

    monkeypatch.setattr(mlflow.MlflowClient, "search_experiments", locked)
    with pytest.raises(
        UserError, match=r"database is locked; results are safe in files: import again later$"
    ):
        import_runs(params(), "tiny", "receipt.json", uri)
    assert not Path("receipt.json").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout of somebody else's can be read: the import ended in a traceback of its lock."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"cannot be written to; results are safe in files"):
        import_runs(params(), "tiny", "receipt.json", uri)
    Path("a file").touch()
    with pytest.raises(UserError, match=r"results are safe in files"):
        import_runs(
            params(), "tiny", "receipt.json", f"sqlite:///{Path('a file/mlflow.db').absolute()}"
        )


def importer(receipt: str, address: str) -> subprocess.Popen[str]:
    """A process of its own that imports."""
    tests = Path(__file__).parents[1]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)]),
        "MLFLOW_TRACKING_URI": address,
    }
    return subprocess.Popen(
        [sys.executable, "-c", IMPORT, receipt],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.integration
def test_eight_processes_import_into_a_store_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight suites end at once on a new machine: without taking turns nearly all of them crash, and
    runs are stored twice.
    """
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
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", "sqlite:///server.db"]
    command += ["--artifacts-destination", str(tmp_path / "kept")]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and not answers(port):
            time.sleep(0.5)
        job = importer("receipt.json", address)
        said = job.communicate()[1]
        assert job.returncode == 0, said
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert results_from_mlflow(settings, "tiny").rows == from_files(settings, "tiny").rows
        assert list((tmp_path / "kept").rglob("encoder.pt"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
