"""Calls of Snakemake in a folder of a small suite."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings_files import write_settings

TINY: dict[str, Any] = {
    "suite": "tiny",
    "datasets": {"synthetic": {"performers": 2, "cameras": 1, "repetitions": 1}},
    "methods": {
        "pstl": {
            "recipe": "resize50",
            "encoder": {"name": "stgcn", "width": 4},
            "train": {"epochs": 2, "batch_size": 8, "lr": 5.0e-3},
            "settings": {"projector_width": 16},
        },
        "raw": {
            "recipe": "resize50", "encoder": {"name": "raw"}, "train": {"epochs": 0, "lr": 1.0},
        },
    },
    "tasks": {"linear": {"epochs": 2}, "knn": {}},
    "suites": {
        "tiny": {
            "summary": "the smallest grid with every kind of job in it",
            "experiments": [
                {
                    "dataset": "synthetic", "splits": ["xsub"], "methods": ["pstl"],
                    "streams": ["joint", "bone"], "batch_norm": ["released"],
                    "tasks": ["linear"],
                    "fuse": {"tasks": ["linear"], "weights": {"joint": 0.6, "bone": 0.4}},
                },
                {
                    "dataset": "synthetic", "splits": ["xsub"], "methods": ["raw"],
                    "batch_norm": ["released"], "tasks": ["knn"],
                },
            ],
        }
    },
}  # fmt: skip


JOBS = {
    "fetch",
    "parse",
    "recordings",
    "prepare",
    "leakage",
    "pretrain",
    "import_weights",
    "features",
    "evaluate",
    "fuse",
    "report",
    "page",
    "track",
    "all",
}


def command(root: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(root / "Snakefile"),
        "--cores",
        "2",
        *arguments,
    ]


def environment() -> dict[str, str]:
    """CPU only, where equal means equal bit for bit.

    The tracking store of the machine stays out of it.
    """
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", "MLFLOW_TRACKING_URI": ""}


def snakemake(root: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Snakemake in `folder`. Returns: exit code, and everything it said."""
    done = subprocess.run(
        command(root, *arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def planned(output: str) -> dict[str, int]:
    """Number of jobs of each rule in the table Snakemake prints."""
    lines = output.partition("Job stats:")[2].splitlines()
    return {
        words[0]: int(words[1])
        for words in map(str.split, lines)
        if len(words) == 2 and words[0] in JOBS and words[1].isdigit()
    }


def write(folder: Path, params: dict[str, Any]) -> None:
    write_settings(folder, params)


def changed(section: str, **values: Any) -> dict[str, Any]:
    """TINY with some values of one section, e.g. "methods.pstl.train", set anew."""
    params = json.loads(json.dumps(TINY))
    inner = params
    for key in section.split("."):
        inner = inner[key]
    inner.update(values)
    return params
