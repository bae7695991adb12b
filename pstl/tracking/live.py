"""Runs in the store while they are still at work, for people who like to watch. An option: nothing waits for it, no table reads it.

A run with a curve and without run.json is shown as a run of its own, to which new epochs are added; once it is done, the import
puts the whole run in its place.
"""

import logging
import time
from pathlib import Path
from typing import Any

from pstl import paths
from pstl.config import Params, Run
from pstl.errors import UserError
from pstl.report.rows import Epochs, read_curve
from pstl.tracking import import_runs, points, store

TAG = "pstl.live"  # its value: the run
SHOWN = "pstl.live_epochs"  # epochs that are in the store already

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
    """Add the new epochs of every run at work; take away what is no longer. Returns: the runs shown.

    Raises: UserError if the store cannot be used.
    """
    curves = {str(run): epochs for run in params.runs(suite) if (epochs := unfinished(run))}
    with store.in_turn(store.address_of(params, uri)):
        client, address = store.connect(params, uri)
        with store.said(address):
            shown = {}
            for run in _live(client):
                name, done = run.data.tags[TAG], int(run.data.tags.get(SHOWN, 0))
                if len(curves.get(name, [])) >= max(done, 1):
                    shown[name] = run.info.run_id, done
                elif Run.parse(name).suite == suite:  # finished, or begun anew
                    client.delete_run(run.info.run_id)
            for name, epochs in curves.items():
                mlflow_id, done = shown.get(name) or (_begin(client, name, address), 0)
                _add(client, mlflow_id, epochs, done)
    return list(curves)


def unfinished(run: Run) -> Epochs:
    """Epochs of a run that is still at work, or was cut off; none of a finished one."""
    return [] if Path(paths.run(run), "run.json").is_file() else read_curve(run)


def _begin(client: Any, name: str, address: str) -> str:
    run = Run.parse(name)
    title = f"{run.split}/{run.method}/{run.stream}/s{run.seed} (at work)"
    tags = {TAG: name, SHOWN: "0"}
    made: str = client.create_run(
        store.experiment(client, run.dataset, address), run_name=title, tags=tags
    ).info.run_id
    return made


def _add(client: Any, mlflow_id: str, epochs: Epochs, shown: int) -> None:
    """Epochs from number `shown` on; the tag comes last, so an epoch may be stored twice but never be missing."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [
        Metric(key, value, now, step) for key, step, _, value in points("train", epochs[shown:])
    ]
    for i in range(0, len(metrics), 1000):
        client.log_batch(mlflow_id, metrics=metrics[i : i + 1000])
    client.set_tag(mlflow_id, SHOWN, str(len(epochs)))


def _live(client: Any) -> list[Any]:
    experiments = [e.experiment_id for e in client.search_experiments()]
    return (
        list(client.search_runs(experiments, f"tags.`{TAG}` LIKE '%'", max_results=1000))
        if experiments
        else []
    )
