"""The store itself: which one, how to open it, whose turn it is, what is in it."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pstl import environment, locks
from pstl.config import Params
from pstl.errors import UserError
from pstl.tracking import local_store, names
from pstl.tracking.local_store import database, is_local

LOCAL = "sqlite:///mlflow.db"
OTHER_VERSION = (
    "another version of MLflow made it: use that one, or 'mlflow db upgrade' if it was older, "
    "or move the store away and import again: results are in files"
)
SAFE = "results are safe in files: import again later"
# Read when mlflow is imported, and only where the user says nothing. A server that is gone is
# reported in seconds, not minutes.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

log = logging.getLogger(__name__)


def runs_of(client: Any, suite: str) -> list[Any]:
    """Every stored run of a suite, oldest first."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs: list[Any] = []
    token: str | None = None
    while experiments:
        page = client.search_runs(
            experiments,
            f"tags.`{names.SUITE}` = '{suite}'",
            max_results=1000,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            break
    return runs


def quiet_mlflow() -> Any:
    """The package. Raises: ModuleNotFoundError if it is not installed."""
    environment.set_defaults(QUIET)
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def connect(params: Params, uri: str, create: bool = True) -> tuple[Any, str]:
    """A client of the store and its address.   create: make a local store that is not there.

    Raises: UserError if the store cannot be used.
    """
    address = address_of(params, uri)
    if is_local(address):
        _ready(database(address), create, shown(address))
    return _client(address), address


def _ready(file: Path, create: bool, place: str) -> None:
    """A local store as MLflow can open it. Raises: UserError if there is none and none is made."""
    if file.exists() and local_store.is_half_made(file, _last_step()):
        aside = local_store.set_aside(file)
        log.warning("tracking store %s: it was never finished; it is now %s", place, aside.name)
    if not file.exists():
        if not create:
            raise UserError(f"{place}: no such store; run 'python -m pstl track' first")
        local_store.make(file, _client)
    local_store.follow(file)


def _last_step() -> str:
    """What MLflow calls the last step of making a store."""
    folder = Path(quiet_mlflow().__file__).parent / "store" / "db_migrations"
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory(str(folder)).get_current_head())


def _client(address: str) -> Any:
    """A client of a store that answers. Raises: UserError if it does not."""
    mlflow = quiet_mlflow()
    from sqlalchemy.exc import SQLAlchemyError

    place = f"tracking store {shown(address)}"
    try:
        client = mlflow.MlflowClient(tracking_uri=address)
        client.search_experiments(max_results=1)
    except mlflow.MlflowException as error:
        remedy = f"use {LOCAL} or the address of an MLflow server"
        if "database schema" in str(error):
            remedy = OTHER_VERSION
        raise UserError(f"{place}: {_reason(error)}; {remedy}") from None
    except SQLAlchemyError as error:  # of a database that is locked: MLflow lets it through
        raise UserError(f"{place}: {_reason(error)}; {SAFE}") from None
    return client


@contextmanager
def reported(address: str) -> Iterator[None]:
    """Report in one line that a store has gone away half-way.

    Nothing is lost: the numbers are in files, and a half-stored run is stored again.
    """
    from mlflow import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise UserError(f"tracking store {shown(address)}: {_reason(error)}; {SAFE}") from None


@contextmanager
def in_turn(address: str) -> Iterator[None]:
    """Hold a local store's lock while the body runs. Servers order their clients themselves.

    Raises: UserError if the store's folder cannot be made or written to.
    """
    if not is_local(address):
        yield
        return
    file = database(address)
    with reported(address):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(file.parent, os.W_OK):
            raise PermissionError(f"{file.absolute().parent} cannot be written to")

    def report_waiting() -> None:
        log.info("tracking store %s: another import is at work, waiting for it", shown(address))

    with locks.locked(file.with_name(f"{file.name}.lock"), report_waiting, keep=True):
        yield


def address_of(params: Params, uri: str) -> str:
    """The store that is meant; see importing.import_runs."""
    return uri or params.tracking_uri or environment.tracking_store() or LOCAL


def shown(address: str) -> str:
    """An address for people, without the password in it."""
    return re.sub(r"//[^@/]*@", "//", address)


def _reason(error: Exception) -> str:
    """The first sentence of what a library says, without the query that failed."""
    sentence = " ".join(str(error).split()).split(". ")[0].split(" [SQL")[0]
    return shown(sentence)[:300]
