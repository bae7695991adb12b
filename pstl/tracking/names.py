"""Under which names a suite's numbers stand in MLflow."""

import re
from typing import Any

from pstl.report.rows import Row

LAYOUT = "6"  # of what is stored; a new number imports every run again
# Tags of a parent.
SUITE, RUN, RUN_ID = "pstl.suite", "pstl.run", "pstl.run_id"
RECORD = "pstl.record"  # what run.json says, as JSON
ROW = "pstl.row."  # followed by a metric's name: the row of the tables, as JSON
CURRENT = "pstl.current"  # "yes": part of the suite as it is on disk now
DIGEST = "pstl.digest"  # of the files that were imported; written last
# Tags of a child.
TASK, PARENT, SETTING = "pstl.task", "pstl.of", "pstl.setting"
# Tags of a run that is still at work.
LIVE = "pstl.live"  # its run
LIVE_EPOCHS = "pstl.live_epochs"  # how many of its epochs are stored


def allowed(text: str) -> str:
    """`text` with the characters MLflow allows in a name."""
    return re.sub(r"[^\w\-. :/]", "-", text)


def reason_tag(task: str) -> str:
    """The tag that says why a task makes no sense for a run.   task: {batch norm}.{cell}."""
    return f"pstl.na.{allowed(task)}"


def keyed(cell: str, rows: list[Row]) -> dict[str, Row]:
    """Rows of a cell by the metric's name in MLflow, {batch norm}.{cell}.{metric}.

    The setting follows where one name would stand for several rows.   cell: as Cell.name.
    """
    names = [f"{row['batch_norm']}.{cell}.{row['metric']}" for row in rows]
    by_name = {}
    for name, row in zip(names, rows, strict=True):
        unique = name if names.count(name) == 1 else f"{name}.{row['setting']}"
        by_name[allowed(unique)] = row
    return by_name


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level: {"train.lr": "0.005"}."""
    level: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            level |= flat(value, f"{prefix}{key}.")
        else:
            level[f"{prefix}{key}"] = str(value)
    return level
