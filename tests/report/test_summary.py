"""Few scores with a name each: what DVC compares."""

import json
from dataclasses import replace

from fabricated import rows_of

from pstl.config import Cell, Run
from pstl.report.compare import compare
from pstl.report.rows import NOT_RUN, Row
from pstl.report.summary import files, summary


def measured(*values: float | None, **where: str) -> list[Row]:
    """One row per seed.   where: a run's names, `norm` and `task`, and `setting` of the rows."""
    named = {"method": "pstl", "stream": "joint", "norm": "recalibrated", "task": "linear", **where}
    rows: list[Row] = []
    for seed, value in enumerate(values):
        run = Run.parse(f"tiny/ntu60/xsub/{named['method']}/{named['stream']}/s{seed}")
        metrics: dict[str, float] = {"top1": value, "top5": 99.0}  # type: ignore[dict-item]
        cell = Cell(run, named["norm"], named["task"])
        for row in rows_of(cell, metrics, setting=named.get("setting", "")):
            rows.append({**row, "reason": NOT_RUN if row["value"] is None else ""})
    return rows


def test_the_summary_holds_headlines_and_is_valid_json() -> None:
    """`dvc metrics` reads it.

    Finite numbers only, one a task, what was not run and the other state of the norms left out.
    """
    rows = (
        measured(60, 62)
        + measured(50, 52, norm="released")
        + measured(None, stream="bone")
        + measured(70, setting="baseline=ridge")
        + measured(40, method="raw", norm="released")
    )
    means = summary(compare(rows, []))
    assert means == {"ntu60/xsub/pstl/joint/linear": 61.0, "ntu60/xsub/raw/joint/linear": 40.0}
    json.dumps(means, allow_nan=False)
    assert files(means) == {
        "ntu60/xsub/pstl/joint.json": {"linear": 61.0},
        "ntu60/xsub/raw/joint.json": {"linear": 40.0},
    }


def test_floors_beside_others_are_not_in_the_summary() -> None:
    """They double the rows of `dvc metrics show`, and never change."""
    rows = measured(60) + measured(40, method="raw")
    lines = [
        replace(line, floor="raw") if line.method == "raw" else replace(line, mean_minus_raw=20.0)
        for line in compare(rows, [])
    ]
    assert summary(lines) == {"ntu60/xsub/pstl/joint/linear": 60.0}


def test_several_settings_of_one_task_have_several_names() -> None:
    """knn with 1 and with 5 neighbours must not overwrite each other."""
    rows = measured(61, task="knn", setting="k=1;cosine")
    rows += measured(65, task="knn", setting="k=5;cosine")
    assert files(summary(compare(rows, [])))["ntu60/xsub/pstl/joint.json"] == {
        "knn_k_1_cosine": 61.0,
        "knn_k_5_cosine": 65.0,
    }
