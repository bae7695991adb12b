"""MLflow's pages on this machine, opened at the table of a suite's scores."""

import logging
import os
import sys
from pathlib import Path

from pstl.config import Params
from pstl.errors import UserError
from pstl.tracking import experiments, local_store, names, store

log = logging.getLogger(__name__)


def serve(params: Params, suite: str, port: int, uri: str = "") -> None:
    """Say where a suite's tables are, and become MLflow's server until interrupted.

    Of a store that is a server already, only the addresses are said.
    Raises: UserError if there is no store, or no run of the suite in it.
    """
    address = store.address_of(params, uri)
    local = local_store.is_local(address)
    server = f"http://127.0.0.1:{port}" if local else address.rstrip("/")
    for title, place in tables(params, suite, server, uri):
        log.info("%s: %s", title, place)
    if local:
        file = local_store.database(address).absolute()
        os.chdir(file.parent)  # from where MLflow finds the files of runs
        os.execv(sys.executable, command(file, port))


def tables(params: Params, suite: str, server: str, uri: str = "") -> list[tuple[str, str]]:
    """Experiments of a suite, and the addresses at which their scores are a table.

    Raises: UserError if there is no store, or no run of the suite in it.
    """
    with store.in_turn(store.address_of(params, uri)):
        client, address = store.connect(params, uri, create=False)
    with store.reported(address):
        of_suite = f"tags.`{names.SUITE}` = '{suite}'"
        found = client.search_experiments(filter_string=of_suite)
    titles = {one.name: one.experiment_id for one in found}
    runs = [title for title in sorted(titles) if not title.endswith(experiments.TASKS)]
    if not runs:
        again = f"run 'python -m pstl track --suite {suite}' first"
        raise UserError(f"{store.shown(address)}: no run of suite {suite!r}; {again}")
    view = f"runs?workflowType=machine_learning&viewStateShareKey={experiments.VIEW}"
    return [(title, f"{server}/#/experiments/{titles[title]}/{view}") for title in runs]


def command(database: Path, port: int) -> list[str]:
    """Words that start the server, from the folder of the database."""
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
    words += ["--backend-store-uri", f"{local_store.SQLITE}{database.name}", "--port", str(port)]
    return words
