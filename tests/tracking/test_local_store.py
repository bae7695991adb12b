"""A store on this machine is whole or not there, and moves with its folder."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pstl.errors import UserError
from pstl.tracking import local_store, store


def address() -> str:
    """Of the store in this folder; MLflow keeps what it opened by its address."""
    return f"sqlite:///{Path('mlflow.db').absolute()}"


def opened() -> object:
    """A client of the store in this folder, which is made if there is none."""
    return store.connect(params=None, uri=address())[0]  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


KILLED = """
import os, signal
import alembic.command
from pstl.tracking import store
def die(*words):
    os.kill(os.getpid(), signal.SIGKILL)
alembic.command.upgrade = die
store.connect(None, "sqlite:///mlflow.db")
"""


def test_a_store_whose_making_was_killed_is_made_again(here: Path) -> None:
    """Four of fourteen kills left a database that no later import could open."""
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    assert not Path("mlflow.db").exists()
    assert len(list(here.iterdir())) == 1
    opened()
    assert [path.name for path in here.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize(
    "tables", [(), ("alembic_version",), ("alembic_version", "experiments", "runs")]
)
def test_a_store_that_an_earlier_version_left_half_made_is_set_aside(
    tables: tuple[str, ...], here: Path
) -> None:
    """It holds no run, and its name is needed; nothing is deleted."""
    with sqlite3.connect("mlflow.db") as connection:
        for name in tables:
            connection.execute(f"CREATE TABLE {name} (x)")
        if tables:
            connection.execute("INSERT INTO alembic_version VALUES ('an earlier step')")
    client = opened()
    assert client.search_experiments()  # type: ignore[attr-defined]
    assert Path("mlflow.db.half-made-1").exists()


def test_what_was_tracked_and_what_is_not_ours_stays(here: Path) -> None:
    """A database with runs is never taken away, nor one of another program."""
    client = opened()
    client.create_run(client.create_experiment("a"))  # type: ignore[attr-defined]
    opened()
    assert not list(here.glob("*half-made*"))
    with sqlite3.connect("other.db") as connection:
        connection.execute("CREATE TABLE customers (x)")
    assert not local_store.is_half_made(Path("other.db"), "any")


def test_a_store_of_another_version_of_mlflow_is_one_line_with_a_way_out(here: Path) -> None:
    """The line named the very store that could not be used as the one to use."""
    opened()
    with sqlite3.connect("mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
        connection.execute("INSERT INTO runs (run_uuid) VALUES ('a run of that version')")
    code = "from pstl.tracking import store; store.connect(None, 'sqlite:///mlflow.db')"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = answer.stderr.splitlines()[-1]
    assert "expected" in said
    assert "another version of MLflow made it" in said
    assert not list(here.glob("*half-made*"))


def test_artifacts_are_found_after_the_folder_was_renamed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow stores paths from the root: a renamed checkout showed runs without their files."""
    client = opened()
    place = str(here / "mlruns/nwucla")  # as earlier versions and MLflow itself note it
    experiment = client.create_experiment("nwucla", artifact_location=place)  # type: ignore[attr-defined]
    run = client.create_run(experiment).info.run_id  # type: ignore[attr-defined]
    client.log_text(run, "seen", "note.txt")  # type: ignore[attr-defined]
    monkeypatch.chdir(here.parent)
    os.rename(here, here.with_name("renamed"))
    monkeypatch.chdir(here.with_name("renamed"))
    code = (
        "from pstl.tracking import store; from mlflow.artifacts import load_text; "
        "c = store.connect(None, 'sqlite:///mlflow.db')[0]; "
        f"r = c.get_run({run!r}); "
        "print(load_text(r.info.artifact_uri + '/note.txt'))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout == "seen\n", answer.stderr[-500:]


def test_only_a_file_is_taken_for_a_store(here: Path) -> None:
    """A device was renamed like a store that is half made, and what is kept in memory alone was
    called imported."""
    device = here / "device"
    device.symlink_to(os.devnull)
    (here / "folder").mkdir()
    for name in ("device", "folder", "", ":memory:", "a?mode=ro"):
        with pytest.raises(UserError, match=r"names no file|stands where the store should be"):
            store.connect(params=None, uri=f"sqlite:///{name}")  # type: ignore[arg-type]
    for address in ("sqlite://", "sqlite:a.db", "sqlite+pysqlite:///a.db"):
        with pytest.raises(UserError, match="names no file that would be kept"):
            store.connect(params=None, uri=address)  # type: ignore[arg-type]
    assert sorted(path.name for path in here.iterdir()) == ["device", "folder"]
    assert Path(os.devnull).is_char_device()
