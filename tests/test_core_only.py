"""An install without extras: what needs one says which, before anything is asked of the network or
written; all else works.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_world as world

from pstl import cli
from pstl.data.datasets import synthetic
from pstl.data.store import write_sequences
from pstl.records import Clip
from pstl.skeletons import load

VERBS = sorted(cli.program().commands)


@pytest.fixture(scope="module")
def outcome(
    small: Path, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What came of each verb's own example (core_only.py), in a folder where the files of the
    examples lie.
    """
    folder = tmp_path_factory.mktemp("core") / "here"
    shutil.copytree(small, folder)
    (folder / "archives").mkdir()
    for name in ("params.yaml", "README.md", "docs/results.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, folder / name)
    shutil.copytree(root / "suites", folder / "suites", dirs_exist_ok=True)
    (folder / "suites/tiny.yaml").unlink()
    shutil.copytree(root / "results/measured", folder / "results/measured")
    made = {
        "encoder.pt": f"{world.HOME}/encoder.pt",
        "features.npz": f"{world.HOME}/released/features.npz",
        "x.npy": "array/x.npy",
    }
    for name, source in made.items():
        shutil.copy(folder / source, folder / name)
    skeleton = load(synthetic.DATASET.spec.skeleton)
    clip = Clip("S001C001P001R001A001", 0, np.ones((2, skeleton.joints, 1, 3), np.float32))
    write_sequences(
        folder / "data/sequences/synthetic", synthetic.DATASET.spec, skeleton.joints, [clip]
    )
    known = {"HOME": str(folder), "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("core_only.py"))]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | known, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_works_or_names_the_extra_that_it_needs(
    verb: str, outcome: dict[str, dict[str, Any]]
) -> None:
    """On a GPU node nobody has the workflow: a traceback that ends in a package's name does not say
    what to type.
    """
    found = outcome[verb]
    assert found["code"] in (0, 1, 2, 130), (
        found
    )  # 1: doctor found something wrong; 130: the training was stopped
    if found["code"] == 2 and found["lacked"]:
        need = f"pstl {verb}: needs {found['lacked'][-1]}, which is not installed here"
        assert found["said"] == f"{need}; run: pip install 'pstl[workflow]'"


def test_the_examples_reach_what_is_lacking(outcome: dict[str, dict[str, Any]]) -> None:
    """Else the test above holds of verbs that stop before."""
    assert {verb for verb, found in outcome.items() if found["lacked"]} >= {
        "show",
        "report",
        "track",
        "watch",
        "trace",
        "fetch",
        "page",
    }
    assert {verb for verb, found in outcome.items() if found["code"] in (0, 130)} >= {
        "prepare", "labels", "pretrain", "features", "export", "embed", "plan", "check", "list",
        "quote",
    }  # fmt: skip
