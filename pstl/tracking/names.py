"""Under which names a suite's numbers stand in MLflow."""

import json
import re
from typing import Any

from pstl.report.rows import FIELDS, Row

LAYOUT = "7"  # of what is stored; a new number imports every run again
# Tags of a run of the grid.
SUITE, RUN, RUN_ID = "pstl.suite", "pstl.run", "pstl.run_id"
FORM = "pstl.layout"  # LAYOUT of when it was imported
CURRENT = "pstl.current"  # "yes": part of the suite as it is on disk now
DIGEST = "pstl.digest"  # of what was imported; written last
DATES = "pstl.dates"  # where start and end come from
RECORDED, OF_FILES = "recorded while it ran", "dates of its files"
# Tags of a task.
TASK, PARENT = "pstl.task", "pstl.of"
# Tags of a run that is still at work.
LIVE = "pstl.live"  # its run
LIVE_EPOCHS = "pstl.live_epochs"  # how many of its epochs are stored
# Files of a run of the grid: every row as a table, and what run.json and curve.jsonl hold.
SCORES, RECORD, CURVE = "scores.json", "run.json", "curve.jsonl"
TABLES = json.dumps([{"path": SCORES, "type": "table"}])  # of mlflow.loggedArtifacts
# Columns of the table, those that people read in front.
FIRST = ("task", "setting", "metric", "value", "reason", "batch_norm", "seconds")
COLUMNS = (*FIRST, *(field for field in FIELDS if field not in FIRST))


def allowed(text: str) -> str:
    """`text` with the characters MLflow allows in a name."""
    return re.sub(r"[^\w\-. :/]", "-", text)


def table_text(rows: list[Row]) -> str:
    """Rows as a table that MLflow shows and puts side by side."""
    data = [[row.get(column, "") for column in COLUMNS] for row in rows]
    return json.dumps({"columns": COLUMNS, "data": data}, indent=None)


def rows_of(text: str) -> list[Row]:
    """What table_text() was given. Raises: ValueError, KeyError or TypeError for another text."""
    table = json.loads(text)
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level of those that are set: {"train.lr": "0.005"}."""
    level: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            level |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            level[f"{prefix}{key}"] = " ".join(str(one) for one in value)
        elif value is not None and value is not False:
            level[f"{prefix}{key}"] = str(value)
    return {key: text for key, text in level.items() if text}
