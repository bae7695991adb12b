"""The metrics that tasks declare: how tables name, print and judge a number."""

from functools import cache

from pstl.metrics.classification import TOP1_EQUAL
from pstl.metrics.metric import Metrics
from pstl.registry import load, names


@cache
def metrics() -> Metrics:
    """Of every task, and of fused scores. Imports the tasks."""
    declared = {kind: load("tasks", kind).TASK.metrics for kind in names("tasks")}
    return Metrics({**declared, "fused": (TOP1_EQUAL,)})
