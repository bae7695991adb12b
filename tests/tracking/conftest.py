"""Stores of MLflow for tests, and what is in them."""

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from report.fabricated import GRID, params

from pstl.config import Params
from pstl.tracking.importing import import_runs

mlflow = pytest.importorskip(
    "mlflow", reason="mlflow is not installed; it belongs to the workflow extra"
)
SMALL = {**GRID, "seeds": [0, 1], "batch_norm": ["recalibrated"]}
ONE_RUN = {**SMALL, "streams": ["joint"], "seeds": [0], "tasks": ["knn"], "fuse": None}


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database made by an import of nothing, and what was said meanwhile.

    Making it takes longer than any test here.
    """
    folder, said = tmp_path_factory.mktemp("store"), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
    ):
        import_runs(params(), "tiny", "receipt.json", f"sqlite:///{folder}/new/mlflow.db")
    return folder / "new" / "mlflow.db", said.getvalue()


@pytest.fixture
def uri(new_store: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of its own for each test, in an empty project.

    Absolute: MLflow keeps connections by address.
    """
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
    import_runs(settings, "tiny", "receipt.json", uri)
    runs: dict[str, str] = json.loads(Path("receipt.json").read_text())["runs"]
    return runs
