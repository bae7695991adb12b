"""Whether every plug-in keeps its contract (pstl/contracts.py). Imports them all, and so torch."""

from typing import Any

from pstl.config import Frozen
from pstl.contracts import READS, Task
from pstl.errors import UserError
from pstl.metrics.metric import Metric, Metrics
from pstl.registry import TaskTraits, load, names, task_traits


def check_contracts() -> None:
    """Raises: UserError naming the first plug-in that breaks its contract, and how."""
    check_tasks()


def check_tasks() -> None:
    """Raises: UserError naming the first task that breaks the contract, and how."""
    for kind in names("tasks"):
        _check_task(kind, getattr(load("tasks", kind), "TASK", None))
    try:
        Metrics({kind: load("tasks", kind).TASK.metrics for kind in names("tasks")})
    except ValueError as error:
        raise UserError(str(error)) from None


def _check_task(kind: str, task: Any) -> None:
    where = f"pstl/tasks/{kind}.py"
    if not isinstance(task, Task):
        raise UserError(f"{where}: TASK is {task!r}, expected an object of a class of Task")
    if not issubclass(task.settings, Frozen):
        raise UserError(f"{where}: settings is {task.settings!r}, expected a class of Frozen")
    if task.needs not in READS:
        raise UserError(f"{where}: needs {task.needs!r}; known: {', '.join(READS)}")
    for probe in task.probes:
        if probe not in names("tasks"):
            raise UserError(f"{where}: probes name {probe!r}; known: {', '.join(names('tasks'))}")
    if not all(isinstance(metric, Metric) for metric in task.metrics):
        raise UserError(f"{where}: metrics hold something that is no Metric")
    if not any(metric.title for metric in task.metrics):
        raise UserError(
            f"{where}: none of its metrics has a title; give one to the metric it is judged by"
        )
    real = TaskTraits(task.needs, task.classifies, task.probes, task.one_protocol)
    for name, read, value in zip(TaskTraits._fields, task_traits(kind), real, strict=True):
        if read != value:
            raise UserError(
                f"{where}: {name} is {value!r}, but its source reads {read!r}; "
                "write it as a literal in the task's own class"
            )
