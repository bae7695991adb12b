"""What the long tests share: the built-in suite at its full size, and what of its results must be
equal to the last bit.
"""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from snakemake_calls import snakemake

from pstl import paths
from pstl.config import load

SUITE = "builtin"


def settle(root: Path, folder: Path) -> Path:
    """Give a folder the project's own params.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / "params.yaml", folder)
    shutil.copytree(root / "suites", folder / "suites", dirs_exist_ok=True)
    return folder


def undisturbed(root: Path, folder: Path) -> Path:
    """The suite on two cores of this machine with nothing in its way.

    $PSTL_UNDISTURBED: a folder that keeps it for the next test.
    """
    folder = settle(root, Path(os.environ.get("PSTL_UNDISTURBED", folder)))
    clock = folder / "seconds.json"
    began = time.monotonic()
    code, output = snakemake(root, folder, "--config", f"suite={SUITE}")
    assert code == 0, output[-4000:]
    if not clock.exists():
        clock.write_text(json.dumps(time.monotonic() - began))
    return folder


def seconds(folder: Path) -> float:
    """Wall time of the undisturbed run in `folder`."""
    return float(json.loads((folder / "seconds.json").read_text()))


def tables(folder: Path, suite: str = SUITE) -> dict[str, bytes]:
    """Tables and rows, without what says when and where: they must be equal to the last bit."""
    made = folder / "results" / suite / "tables"
    text = (made / "comparison.md").read_text()
    page = "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith("| wall time")
    )
    return {
        "comparison.md": page.encode(),
        **{name: (made / name).read_bytes() for name in ("comparison.csv", "summary.json")},
    }


def encoders(folder: Path, suite: str = SUITE) -> dict[str, dict[str, Any]]:
    """Weights of every run."""
    import torch

    runs = load(folder / "params.yaml").runs(suite)
    return {
        str(run): torch.load(folder / paths.encoder(run), weights_only=True)["state"]
        for run in runs
    }


def same_results(one: Path, other: Path, suite: str = SUITE) -> None:
    """Raises: AssertionError unless tables and encoders of both folders are equal bit by bit."""
    import torch

    assert tables(one, suite) == tables(other, suite)
    ours, theirs = encoders(one, suite), encoders(other, suite)
    assert ours.keys() == theirs.keys()
    for run in ours:
        assert ours[run].keys() == theirs[run].keys(), run
        assert all(torch.equal(ours[run][key], theirs[run][key]) for key in ours[run]), run
