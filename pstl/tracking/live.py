"""Runs in the store while they are still at work, for people who like to watch.

An option: nothing waits for it, and no table reads it. A run with a curve and without run.json is
shown as a run of its own, to which new epochs are added; once it is done, the import puts the whole
run in its place.
"""

import logging
import time
from pathlib import Path
from typing import Any

from pstl import paths
from pstl.config import Params, Run
from pstl.errors import UserError
from pstl.report.rows import Epochs, read_curve
from pstl.tracking import experiments, names, store
from pstl.tracking.importing import import_runs
from pstl.tracking.on_disk import began, points
from pstl.tracking.writing import log_now

log = logging.getLogger(__name__)


def watch(params: Params, suite: str, every: float, uri: str = "") -> None:
    """Bring the store up to date every so many seconds, until interrupted.

    A store that is gone is reported, and tried again.
    Raises: UserError for an unknown suite, or a time that is not above 0.
    """
    params.suite_named(suite)
    if not every > 0:
        raise UserError(f"--every {every:g}: expected seconds above 0")
    log.info("watching suite %s; look at it with 'make ui', stop with Ctrl-C", suite)
    while True:
        try:
            import_runs(params, suite, None, uri)
            update(params, suite, uri)
        except UserError as error:
            log.warning("%s", error)
        time.sleep(every)


def update(params: Params, suite: str, uri: str = "") -> list[str]:
    """Add the new epochs of every run at work; take away what is no longer at work.

    Returns: the runs shown.   Raises: UserError if the store cannot be used.
    """
    curves: dict[str, Epochs] = {}
    for run in params.runs(suite):
        if epochs := unfinished(run):
            curves[str(run)] = epochs
    with store.in_turn(store.address_of(params, uri)):
        client, address = store.connect(params, uri)
        with store.reported(address):
            shown = _still_at_work(client, suite, curves)
            for name, epochs in curves.items():
                mlflow_id, done = shown.get(name) or (_begin(client, name, address, epochs), 0)
                _add(client, mlflow_id, epochs, done)
    return list(curves)


def unfinished(run: Run) -> Epochs:
    """Epochs of a run that is still at work, or was cut off; none of a finished one."""
    return [] if Path(paths.run(run), "run.json").is_file() else read_curve(run)


def _still_at_work(
    client: Any, suite: str, curves: dict[str, Epochs]
) -> dict[str, tuple[str, int]]:
    """MLflow's id and the number of stored epochs of each run at work; others are deleted."""
    at_work = {}
    for stored in _live(client):
        name = stored.data.tags[names.LIVE]
        epochs = int(stored.data.tags.get(names.LIVE_EPOCHS, 0))
        if len(curves.get(name, [])) >= max(epochs, 1):
            at_work[name] = stored.info.run_id, epochs
        elif Run.parse(name).suite == suite:  # finished, or begun anew
            client.delete_run(stored.info.run_id)
    return at_work


def _begin(client: Any, name: str, address: str, epochs: Epochs) -> str:
    """A run that began when its first epoch did, in the view that `pstl ui` opens."""
    run = Run.parse(name)
    title = f"{run.split}/{run.method}/{run.stream}/s{run.seed} (at work)"
    tags = {names.LIVE: name, names.LIVE_EPOCHS: "0", names.CURRENT: "yes"}
    start = int(1000 * (began(epochs) or time.time()))
    experiment = experiments.opened(client, address, run.suite, run.dataset)
    created = client.create_run(experiment, start_time=start, run_name=title, tags=tags)
    mlflow_id: str = created.info.run_id
    return mlflow_id


def _add(client: Any, mlflow_id: str, epochs: Epochs, stored: int) -> None:
    """Epochs from number `stored` on.

    The tag comes last, so an epoch may be stored twice but never be missing.
    """
    log_now(client, mlflow_id, points("train", epochs[stored:]))
    client.set_tag(mlflow_id, names.LIVE_EPOCHS, str(len(epochs)))


def _live(client: Any) -> list[Any]:
    """Stored runs that are at work, of every suite."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    if not experiments:
        return []
    return list(client.search_runs(experiments, f"tags.`{names.LIVE}` LIKE '%'", max_results=1000))
