"""What a task gives back, and the rows it becomes: the schema of the published tables plus where
each number comes from.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from pstl import seals
from pstl.config import Cell
from pstl.evaluation import scores
from pstl.evaluation.scores import Scores
from pstl.files import Kind, json_text, read_json, write_text
from pstl.ops.finite import check_rows
from pstl.records import Result

# What rows say of where a number comes from. `precision` is the one that the encoder was trained
# in, and a task that trains ("bf16, task fp32"; "task fp32" of an untrained one), `labelled` how
# many labelled clips encoder and task learnt from, where these were only some, `weights` the file
# of an encoder that others trained; each is empty where it is unknown or does not apply. What may
# change last digits stands in the last three, see computed_by().
COMPUTED_BY = ("torch", "threads", "processor")
FACTS = (
    "run_id",
    "device",
    "seconds",
    "peak_mb",
    "git",
    "data_checksum",
    "settings_digest",
    "precision",
    "labelled",
    "weights",
    *COMPUTED_BY,
)
RESULTS = Kind("readable file of results", "delete it and run the task again", "run the task first")


class TimelineEntry(BaseModel):
    """One of Result.timelines, as a file holds it."""

    name: str
    frames: int
    classes: list[str]
    truth: list[list[float]]
    found: list[list[float]]


class MotionEntry(BaseModel):
    """One of Result.motions, as a file holds it."""

    name: str
    skeleton: str
    mpjpe: float
    seen: list[list[list[float]]]
    future: list[list[list[float]]]
    found: list[list[list[float]]]


class ResultFile(BaseModel):
    """What {task}.json holds.   ended: when it was written, in seconds since 1970."""

    rows: list[dict[str, Any]]
    curve: list[dict[str, float]] = []
    not_applicable: str = ""
    without: dict[str, str] = {}
    timelines: list[TimelineEntry] = []
    motions: list[MotionEntry] = []
    ended: float = 0.0


def labelled_clips(result: Result, provenance: Mapping[str, Any]) -> int | str:
    """The column `labelled` of a result; empty where all clips had labels, or none."""
    record = result.labelled or provenance.get("labelled") or {}
    return record.get("clips", "")


def computed_by(stages: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The columns COMPUTED_BY of rows.

    stages: what computed a number on its way, in order: "encoder", "features", "task" -> as from
    hardware.computed_by(). Empty of a stage that was not recorded, or is not computed.

    >>> computed_by({"encoder": {"threads": "8"}, "task": {"threads": "1"}})["threads"]
    'encoder 8, task 1'
    """
    columns = {}
    for name in COMPUTED_BY:
        values = {stage: facts[name] for stage, facts in stages.items() if facts.get(name)}
        if len(set(values.values())) == 1 and len(values) == len(stages):
            columns[name] = next(iter(values.values()))
        else:
            columns[name] = ", ".join(f"{stage} {value}" for stage, value in values.items())
    return columns


def rows(cell: Cell, result: Result, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per setting, batch-norm state and metric.

    facts: all of FACTS. The seconds stand in the rows of the cell's own batch-norm state; those of
    another came with them and cost 0.
    """
    known = {name: facts[name] for name in FACTS}
    table = []
    for setting, metrics in {result.setting: result.metrics, **result.others}.items():
        table += _values({**cell.identity, **known, "setting": setting}, metrics)
    for norm, metrics in result.norms.items():
        beside = {"setting": result.setting, "batch_norm": norm, "seconds": 0.0}
        table += _values({**cell.identity, **known, **beside}, metrics)
    return table


def _values(row: dict[str, Any], metrics: dict[str, float]) -> list[dict[str, Any]]:
    return [{**row, "metric": name, "value": float(value)} for name, value in metrics.items()]


def write(
    out: str | Path,
    scores_out: str | Path | None,
    table: list[dict[str, Any]],
    result: Result,
    tested: Scores,
) -> None:
    """Write {task}.json, and the test scores with the clips they are about, if the task has any (an
    empty file otherwise).

    tested: the test clips, without scores.
    Raises: UserError if a number is not to be trusted; nothing is written then.
    """
    for row in table:
        check_rows(np.array([row["value"]]), f"{out}: {row['metric']} {row['setting']}")
    reason = {"not_applicable": result.not_applicable} if result.not_applicable else {}
    more = (
        ("without", result.without),
        ("timelines", result.timelines),
        ("motions", result.motions),
        ("labelled", result.labelled),
    )
    drawn = {name: shown for name, shown in more if shown}
    text = json_text(
        out, {"rows": table, "curve": result.curve, "ended": time.time(), **reason, **drawn}
    )
    if scores_out is not None:
        scores.write(
            scores_out, tested if result.scores is None else replace(tested, points=result.scores)
        )
    write_text(out, seals.seal(text))


def read(path: str | Path) -> dict[str, Any]:
    """What write() wrote. Raises: UserError if the file is missing or holds something else."""
    content: dict[str, Any] = read_json(path, RESULTS, ResultFile)
    return content
