"""MLflow's experiments: two of each suite and data set, of its runs and of their tasks."""

import json
from collections.abc import Iterable
from typing import Any

from pstl.errors import UserError
from pstl.tracking import local_store, names, store

TASKS = ", tasks"  # ends the name of the experiment of tasks
# What makes MLflow open an experiment as one of training, not as one of language models.
KIND = {"mlflow.experimentKind": "custom_model_development"}
NOTE = "mlflow.note.content"
VIEW = "scores"  # key of the view that `pstl ui` opens: a table of scores
MOST_COLUMNS = 40  # of scores in it; a tag holds 5,000 characters
SETTINGS = ("method", "stream", "split", "seed", "epochs")  # columns in front of the scores


def name(suite: str, dataset: str, tasks: bool = False) -> str:
    """Of an experiment: two suites never share one. MLflow shows what is behind the last slash."""
    return f"{suite}: {dataset}{TASKS if tasks else ''}"


def opened(client: Any, address: str, suite: str, dataset: str, tasks: bool = False) -> str:
    """Id of an experiment, which is made if there is none.

    A local store keeps its artifacts beside the database; a server decides for itself.
    Raises: UserError if somebody has deleted the experiment.
    """
    title = name(suite, dataset, tasks)
    present = client.get_experiment_by_name(title)
    if present is None:
        place = None
        if local_store.is_local(address):
            folder = local_store.database(address).absolute().parent / local_store.ARTIFACTS
            place = str(folder / suite / (f"{dataset}-tasks" if tasks else dataset))
        tags = {**KIND, names.SUITE: suite}
        created: str = client.create_experiment(title, artifact_location=place, tags=tags)
        if place:
            local_store.follow(local_store.database(address))
        return created
    if present.lifecycle_stage != "active":
        remedy = "restore it with 'mlflow experiments restore'"
        raise UserError(f"{store.shown(address)}: experiment {title!r} was deleted there; {remedy}")
    identity: str = present.experiment_id
    return identity


def describe(client: Any, experiment: str, summary: str, says: dict[str, str]) -> None:
    """Say what an experiment holds, and give it the view that shows its scores as a table.

    says: score -> what the number is.
    """
    listed = "\n".join(f"- `{score}`: {what}" for score, what in says.items())
    note = f"{summary}\n\nScores, in percent where nothing else is said:\n\n{listed}"
    tags = {NOTE: note[:4900], f"mlflow.sharedViewState.{VIEW}": view(says)}
    stored = client.get_experiment(experiment).tags
    for key, text in tags.items():
        if stored.get(key) != text:
            client.set_experiment_tag(experiment, key, text)


def view(scores: Iterable[str]) -> str:
    """A saved view of MLflow's pages: runs as they are on disk now, and columns of their scores."""
    columns = ["attributes.`Created`", "attributes.`Duration`"]
    columns += [f"params.`{setting}`" for setting in SETTINGS]
    columns += [f"metrics.`{score}`" for score in list(scores)[:MOST_COLUMNS]]
    state = {
        "searchFilter": f'tags.`{names.CURRENT}` = "yes"',
        "orderByKey": "attributes.start_time",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
    }
    dates = {"createdAt": 0, "updatedAt": 0}
    return json.dumps({"name": "Scores", **dates, "state": json.dumps(state)})


def remove_emptied(client: Any, address: str, datasets: Iterable[str]) -> None:
    """Take away experiments of the earlier layout, called as a data set, that are empty now."""
    for dataset in set(datasets):
        present = client.get_experiment_by_name(dataset)
        if present is None or present.lifecycle_stage != "active":
            continue
        ours = present.artifact_location.endswith(f"{local_store.ARTIFACTS}/{dataset}")
        identity = present.experiment_id
        if ours and local_store.is_local(address) and not client.search_runs([identity]):
            client.delete_experiment(identity)
