"""The store itself: which one, how to open it, whose turn it is, and what it says when it goes away."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pstl import environment, locks
from pstl.config import Params
from pstl.errors import UserError

LOCAL = "sqlite:///mlflow.db"
SAFE = "results are safe in files: import again later"
# Read when mlflow is imported, and only where the user says nothing. A server that is gone is reported in seconds, not minutes.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

log = logging.getLogger(__name__)


def experiment(client: Any, dataset: str, address: str) -> str:
    """Id of the data set's experiment. A local store keeps its artifacts beside the database; a server decides for itself."""
    found = client.get_experiment_by_name(dataset)
    if found is None:
        place = (
            str(_database(address).parent / "mlruns" / dataset)
            if address.startswith("sqlite:")
            else None
        )
        created: str = client.create_experiment(dataset, artifact_location=place)
        return created
    if found.lifecycle_stage != "active":
        raise UserError(
            f"{shown(address)}: experiment {dataset!r} was deleted there; restore it with 'mlflow experiments restore'"
        )
    known: str = found.experiment_id
    return known


def quiet_mlflow() -> Any:
    """The package. Raises: ModuleNotFoundError if it is not installed."""
    environment.set_defaults(QUIET)
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def connect(params: Params, uri: str, create: bool = True) -> tuple[Any, str]:
    """A client of the store and its address."""
    address = address_of(params, uri)
    if address.startswith("sqlite:"):
        if not create and not _database(address).exists():
            raise UserError(f"{shown(address)}: no such store; run 'python -m pstl track' first")
        _database(address).parent.mkdir(parents=True, exist_ok=True)
    mlflow = quiet_mlflow()
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = mlflow.MlflowClient(tracking_uri=address)
        client.search_experiments(max_results=1)
    except mlflow.MlflowException as error:
        raise UserError(
            f"tracking store {shown(address)}: {_reason(error)}; use {LOCAL} or the address of an MLflow server"
        ) from None
    except (
        SQLAlchemyError
    ) as error:  # opening a database that somebody else has locked: MLflow lets it through
        raise UserError(f"tracking store {shown(address)}: {_reason(error)}; {SAFE}") from None
    return client, address


@contextmanager
def said(address: str) -> Iterator[None]:
    """What a store says when it goes away half-way, as one line. Nothing is lost: the numbers are in files, a half-stored run is redone."""
    from mlflow import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise UserError(f"tracking store {shown(address)}: {_reason(error)}; {SAFE}") from None


@contextmanager
def in_turn(address: str) -> Iterator[None]:
    """Hold a local store's lock while the body runs. Servers order their clients themselves."""
    if not address.startswith("sqlite:"):
        yield
        return
    database = _database(address)
    database.parent.mkdir(parents=True, exist_ok=True)

    def report_waiting() -> None:
        log.info("tracking store %s: another import is at work, waiting for it", shown(address))

    with locks.locked(database.with_name(f"{database.name}.lock"), report_waiting, keep=True):
        yield


def address_of(params: Params, uri: str) -> str:
    return uri or params.tracking_uri or environment.tracking_store() or LOCAL


def _reason(error: Exception) -> str:
    return shown(" ".join(str(error).split()).split(". ")[0].split(" [SQL")[0])[:300]


def _database(address: str) -> Path:
    return Path(address.removeprefix("sqlite:///"))


def shown(address: str) -> str:
    return re.sub(r"//[^@/]*@", "//", address)  # never a password in a message
