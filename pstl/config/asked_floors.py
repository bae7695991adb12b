"""Floors that a suite asks for by their tasks: they exist, or the suite is refused."""

from collections.abc import Iterator

from pstl.config.params import Params
from pstl.config.suites import Axes, FloorTasks
from pstl.config.validation import Where
from pstl.errors import UserError
from pstl.registry import task_traits


def floor_tasks(block: Axes) -> list[str]:
    """Tasks whose floors an experiment, or a suite for all of its own, asks for by name."""
    asked = [tasks for tasks in block.floor_tasks().values() if not isinstance(tasks, bool)]
    return list(dict.fromkeys(task for tasks in asked for task in tasks))


def check_floors(params: Params, name: str, where: Where) -> None:
    """A floor that is asked for by name is of a task that is run, and that has such a floor.

    Raises: UserError naming the task.   where: of the suite.
    """
    for block, tasks, place in _stated(params, name, where):
        for task in floor_tasks(block):
            if task not in tasks:
                run = ", ".join(dict.fromkeys(tasks)) or "none"
                raise UserError(
                    f"{place.below('floors').text()}: {task} is not run there, but {run}; "
                    "add it to the tasks, or take it out of 'floors'"
                )
        for kind, asked in block.floor_tasks().items():
            for task in () if isinstance(asked, bool) else asked:
                _check_kind(params, name, task, kind if _by_kind(block) else "", place)


def _stated(
    params: Params, name: str, where: Where
) -> Iterator[tuple[Axes, tuple[str, ...], Where]]:
    """What says something of floors, the tasks that it says it of, and its place."""
    suite = params.suites[name]
    others: list[str] = []
    for number, block in enumerate(suite.experiments):
        if "floors" in block.model_fields_set:
            yield block, block.tasks, where.below("experiments", number)
        else:
            others += block.tasks
    yield suite, tuple(others), where


def _by_kind(block: Axes) -> bool:
    return isinstance(block.floors, FloorTasks)


def _check_kind(params: Params, suite: str, task: str, kind: str, place: Where) -> None:
    """Raises: UserError for a task without floor of this kind; "": without any."""
    has = task_traits(params.task(suite, task).kind).floors
    if not has or (kind and kind not in has):
        named = ", ".join(has) or "none"
        raise UserError(
            f"{place.below('floors').text()}: {task} has no floor {kind}".rstrip()
            + f"; it has: {named}; take it out of 'floors'"
        )
