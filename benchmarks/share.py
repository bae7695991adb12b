"""Where the time of a suite's jobs went: python -m benchmarks.share SUITE

Run it where the suite was run. A job lasts from its start, as Snakemake has recorded it, to its
last output. Inside is what its record says that training, encoding or a task took; all else is
outside: starting, imports, reading settings, writing. Reading and preparing recordings is work from
one end to the other, tables, page and tracking are none of it. Times are of the clock: jobs that
shared a core with other work look longer, inside and outside alike.
"""

import argparse
import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.text import aligned
from pstl.errors import UserError

RECORDS = Path(".snakemake/metadata")
TRAINING, ENCODING, TASKS = "pretrain", "features", ("evaluate", "fuse")
FORKED = (TRAINING, ENCODING, *TASKS)
SHOWING = ("report", "page", "track")
HEADER = ["rule", "jobs", "seconds", "outside", "share", "a job"]


class Job(NamedTuple):
    """One job of a suite.   seconds: from start to end.   inside: of these, of its own work."""

    rule: str
    seconds: float
    inside: float


def jobs(suite: str, records: Path = RECORDS) -> list[Job]:
    """Every job that Snakemake has a record of, and whose outputs are of this suite or of data.

    Raises: UserError if there is none.
    """
    results, was_run = f"results/{suite}/", False
    spans: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for output, record in recorded(records):
        if output.startswith((results, "data/")) and os.path.lexists(output):
            was_run |= output.startswith(results)
            span = (float(record["starttime"]), float(record["endtime"]), output)
            spans.setdefault((record["rule"], record["shellcmd"]), []).append(span)
    if not was_run:
        raise UserError(f"{records}: no record of a job of suite {suite}; run it first")
    made = []
    for (rule, _), outputs in spans.items():
        seconds = max(end for _, end, _ in outputs) - min(start for start, _, _ in outputs)
        made.append(Job(rule, seconds, inside(rule, seconds, [path for *_, path in outputs])))
    return made


def recorded(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Outputs and what Snakemake has written of the jobs that made them."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            record = json.loads(file.read_text())
            if record.get("starttime") and record.get("shellcmd"):
                yield output_of(file.relative_to(folder)), record


def output_of(name: Path) -> str:
    """The file that a record is of: its name, in base 64, is the record's, cut where it is long."""
    code = "".join(part.removeprefix("@") for part in name.parts)
    return base64.urlsafe_b64decode(code).decode()


def inside(rule: str, seconds: float, outputs: list[str]) -> float:
    """Seconds of a job's own work: what its record says, all of it where it reads data."""
    if rule == TRAINING:
        record = next(path for path in outputs if path.endswith("run.json"))
        return float(json.loads(Path(record).read_text())["seconds"])
    if rule == ENCODING:
        with np.load(outputs[0]) as features:
            return float(json.loads(str(features["meta"]))["seconds"])
    if rule in TASKS:
        rows = next(path for path in outputs if path.endswith(".json"))
        first = json.loads(Path(rows).read_text())["rows"][:1]
        return sum(float(row["seconds"]) for row in first)
    return 0.0 if rule in SHOWING else seconds


def line(name: str, of: list[Job]) -> list[str]:
    """One line of the table."""
    seconds = sum(job.seconds for job in of)
    outside = seconds - sum(job.inside for job in of)
    figures = [f"{seconds:,.1f}", f"{outside:,.1f}", f"{100 * outside / seconds:.0f} %"]
    return [name, str(len(of)), *figures, f"{outside / len(of):.2f} s"]


def table(every: list[Job]) -> str:
    """The rules one by one, then those that train and evaluate, and all."""
    rules = dict.fromkeys(job.rule for job in every)
    lines = [HEADER]
    for rule in rules:
        lines.append(line(rule, [job for job in every if job.rule == rule]))
    forked = [job for job in every if job.rule in FORKED]
    if forked:
        lines.append(line("trained and tested", forked))
    return aligned([*lines, line("all", every)])


def main() -> None:
    """Print the table of one suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite")
    sys.stdout.write(table(jobs(parser.parse_args().suite)))


if __name__ == "__main__":
    main()
