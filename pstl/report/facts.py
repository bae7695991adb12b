"""What a suite's numbers come from: what was run, on what, and the command that runs it again."""

from collections.abc import Iterable
from typing import Any

from pstl.report.costs import Costs, Key, asked, cell_key, costs
from pstl.report.joined import Joined
from pstl.report.rows import NOT_APPLICABLE, Row
from pstl.report.tables import NONE
from pstl.report.text import table

COMMAND = "to run it again"
NOT_RECORDED = "not recorded"


def header(everything: Joined) -> str:
    """The facts as a table of comparison.md."""
    rows = []
    for name, fact in facts(everything).items():
        rows.append([name, f"`{fact}`" if name == COMMAND else fact])
    return table(["", ""], rows)


def facts(everything: Joined) -> dict[str, str]:
    """Names and values."""
    params, suite, results = everything.params, everything.suite, everything.results
    grid = params.grid(suite)
    rows = asked(results, grid)
    with_number = [row for row in rows if row["value"] is not None]
    records = list(results.runs.values())
    command = "snakemake --cores all"
    if suite != params.suite:
        command += f" --config suite={suite}"
    runs = f"on {len(records)} of {len(params.runs(suite))} encoders"
    return {
        COMMAND: command,
        "cells": f"{_evaluated(rows)}, {runs}",
        "code": _listed(_each(with_number, "git") + _each(records, "git")),
        "data": _listed(f"{row['dataset']} {row['data_checksum'][:16]}" for row in with_number),
        **_unusual(records, with_number),
        "versions": _listed(_versions(records)),
        "device": _listed(_each(with_number, "device") + _each(records, "device")),
        "machine": _listed(_each(records, "machine")),
        "precision": _listed(_precisions(with_number)),
        "wall time": _wall_time(costs(results, grid)),
    }


def _evaluated(rows: list[Row]) -> str:
    """How many cells have a number, and how many make no sense."""
    reasons: dict[Key, str] = {}
    for row in rows:
        reasons[cell_key(row)] = row["reason"]
    for row in rows:
        if row["value"] is not None:
            reasons[cell_key(row)] = ""
    evaluated = sum(not reason for reason in reasons.values())
    without = sum(reason.startswith(NOT_APPLICABLE) for reason in reasons.values())
    text = f"{evaluated} of {len(reasons)} evaluated"
    if without:
        text += f", {without} {NOT_APPLICABLE}"
    return text


def _wall_time(spent: Costs) -> str:
    training, tasks = spent.of_training, spent.of_tasks
    parts = f"{training:,.0f} s of pre-training, {tasks:,.0f} s of tasks"
    return f"{training + tasks:,.0f} s: {parts} (of each job, added up)"


def _versions(records: list[dict[str, Any]]) -> list[str]:
    texts = []
    for record in records:
        for name, version in record.get("versions", {}).items():
            texts.append(f"{name} {version}")
    return texts


def _unusual(records: list[dict[str, Any]], rows: list[Row]) -> dict[str, str]:
    """Encoders that no run of the suite has made of its own data alone, if there are any."""
    corpora = set()
    for record in records:
        sides = record.get("corpus", {})
        clips = " + ".join(f"{name} {side['clips']}" for name, side in sides.items())
        if sides:
            dataset, split, method = record["run"].split("/")[1:4]
            corpora.add(f"{method} of {dataset}/{split}: {clips} clips")
    weights = {f"{row['method']}: {row['weights']}" for row in rows if row["weights"]}
    named = {"trained on several data sets": corpora, "trained by others": weights}
    return {name: _listed(texts) for name, texts in named.items() if texts}


def _precisions(rows: list[Row]) -> list[str]:
    """What encoders were trained in, and tasks that train; floors are not trained.

    Of weights that others trained nobody says, nor do rows of earlier versions.
    """
    trained = [row for row in rows if row["precision"] or not row["floor"]]
    return [row["precision"] or NOT_RECORDED for row in trained]


def _each(records: list[dict[str, Any]], name: str) -> list[str]:
    return [record.get(name, "") for record in records]


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values) - {""})) or NONE
