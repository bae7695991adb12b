"""A suite's results brought into MLflow; importing twice changes nothing."""

import logging
from pathlib import Path
from typing import Any

from pstl.config import Params
from pstl.files import write_json
from pstl.tracking import experiments, names, scores, store
from pstl.tracking.on_disk import TrackedRun, tracked_runs
from pstl.tracking.writing import Target, store_run

log = logging.getLogger(__name__)


def import_runs(params: Params, suite: str, receipt: str | Path | None, uri: str = "") -> None:
    """Import every run of `suite` that has results, fused ones included.

    A run that is stored with the same content is left alone, one with other content, or in the form
    of an earlier version, is replaced.
    receipt: where to write {run_id: MLflow's run id}; None: nowhere.
    uri: the store; empty: params.tracking_uri, else MLFLOW_TRACKING_URI, else sqlite:///mlflow.db
    with artifacts under mlruns/.
    Raises: UserError if the store cannot be used or a results file cannot be read.
    """
    store.quiet_mlflow()  # before anything is read or written: it may not be installed
    headline = scores.headline(params, suite)
    runs = list(tracked_runs(params, suite, headline))
    with store.in_turn(store.address_of(params, uri)):
        client, address = store.connect(params, uri)
        with store.reported(address):
            stored, imported = _import(client, address, suite, runs)
            summary = params.suite_named(suite).summary
            for dataset, says in headline.of_datasets().items():
                experiment = experiments.opened(client, address, suite, dataset)
                experiments.describe(client, experiment, summary, says)
            experiments.remove_emptied(client, address, [each.run.dataset for each in runs])
    if imported or receipt:
        before = len(runs) - imported
        log.info("suite %s: %d runs imported, %d were there already", suite, imported, before)
    if receipt:
        write_json(receipt, {"suite": suite, "runs": stored})


def _import(
    client: Any, address: str, suite: str, runs: list[TrackedRun]
) -> tuple[dict[str, str], int]:
    """Bring the store up to date. Returns: MLflow's id by run id, and how many runs were new."""
    before = store.runs_of(client, suite)
    stored: dict[str, str] = {}
    imported = 0
    for tracked in runs:
        same = [run for run in before if run.data.tags.get(names.RUN_ID) == tracked.run_id]
        current = [run for run in same if run.data.tags.get(names.DIGEST) == tracked.digest]
        if current:
            mlflow_id = current[0].info.run_id
        else:
            mlflow_id = store_run(_target(client, address, tracked), tracked)
            imported += 1
        stored[tracked.run_id] = mlflow_id
        for run in same:
            if run.info.run_id != mlflow_id:
                _delete(client, run)
    _mark_current(client, suite, set(stored.values()))
    return stored, imported


def _target(client: Any, address: str, tracked: TrackedRun) -> Target:
    suite, dataset = tracked.run.suite, tracked.run.dataset
    runs = experiments.opened(client, address, suite, dataset)
    tasks = experiments.opened(client, address, suite, dataset, tasks=True)
    return Target(client, address, runs, tasks)


def _delete(client: Any, run: Any) -> None:
    """One run and its tasks."""
    of_parent = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    everywhere = [one.experiment_id for one in client.search_experiments()]
    children = client.search_runs(everywhere, of_parent, max_results=1000)
    for one in [*children, run]:
        client.delete_run(one.info.run_id)


def _mark_current(client: Any, suite: str, ids: set[str]) -> None:
    """Tag which stored runs are the suite as it is on disk now.

    Runs of earlier settings stay, as history.
    """
    for run in store.runs_of(client, suite):
        current = "yes" if run.info.run_id in ids else "no"
        if run.data.tags.get(names.CURRENT) != current:
            client.set_tag(run.info.run_id, names.CURRENT, current)
