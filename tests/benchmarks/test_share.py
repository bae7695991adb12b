"""Where a suite's time went is told by what Snakemake and the jobs have recorded."""

import base64
import json

import numpy as np
import pytest

from benchmarks import share
from pstl.errors import UserError

RUN = "results/s/runs/nwucla/xview/pstl/joint/s0"


def recorded(output, rule, start, end):
    """A record as Snakemake keeps it: its name is the output's in base 64, in pieces."""
    name = base64.urlsafe_b64encode(output.encode()).decode()
    folder = share.RECORDS / f"@{name[:20]}"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"rule": rule, "shellcmd": f"pstl {rule}", "starttime": start, "endtime": end}
    (folder / name[20:]).write_text(json.dumps(about))


def made(output, content):
    path = share.Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def run_here(tmp_path, monkeypatch):
    """A training of 10 s, 8 of them its own; features of 3 s, 2 their own; a task of 2 s, 1 its
    own; tables; data; and a task of another suite."""
    monkeypatch.chdir(tmp_path)
    made(f"{RUN}/encoder.pt", {})
    made(f"{RUN}/run.json", {"seconds": 8.0})
    made(f"{RUN}/released/knn.json", {"rows": [{"seconds": 1.0}, {"seconds": 1.0}]})
    made("results/s/tables/summary.json", {})
    made("data/arrays/nwucla/resize50/meta.json", {})
    made("results/other/runs/knn.json", {"rows": []})
    np.savez(f"{RUN}/released/features.npz", meta=json.dumps({"seconds": 2.0}))
    recorded(f"{RUN}/encoder.pt", "pretrain", 100.0, 109.5)
    recorded(f"{RUN}/run.json", "pretrain", 100.0, 110.0)
    recorded(f"{RUN}/released/features.npz", "features", 110.0, 113.0)
    recorded(f"{RUN}/released/knn.json", "evaluate", 113.0, 115.0)
    recorded("results/s/tables/summary.json", "report", 115.0, 119.0)
    recorded("data/arrays/nwucla/resize50/meta.json", "prepare", 90.0, 95.0)
    recorded("results/other/runs/knn.json", "evaluate", 0.0, 50.0)
    recorded(f"{RUN}/released/gone.json", "evaluate", 0.0, 50.0)


def test_what_training_encoding_and_tasks_took_is_inside(run_here):
    """A share that counted a job's own work as waiting would send people after the wrong thing."""
    outside = {job.rule: job.seconds - job.inside for job in share.jobs("s")}
    assert outside == {
        "pretrain": 2.0,
        "features": 1.0,
        "evaluate": 1.0,
        "report": 4.0,
        "prepare": 0.0,
    }


def test_the_table_ends_with_the_share_of_all_jobs(run_here):
    """The last lines are what is quoted: 4 of 15 s, and 8 of 24."""
    lines = share.table(share.jobs("s")).splitlines()
    assert lines[-2].split()[3:] == ["3", "15.0", "4.0", "27", "%", "1.33", "s"]
    assert lines[-1].split()[:6] == ["all", "5", "24.0", "8.0", "33", "%"]


def test_a_suite_that_was_not_run_is_said_in_one_line(run_here):
    """Data alone are of no suite."""
    with pytest.raises(UserError, match="no record of a job of suite t; run it first"):
        share.jobs("t")
