"""docs/own-data.md, from files to a table: typed as it stands, on files of three kinds."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import own_clips
import pytest
import yaml
from test_docs import blocks

from pstl import cli
from pstl.config import merge


def as_bvh(path, xyz):
    """A clip of motion capture, another for every name."""
    turn = np.linspace(0, 10 + len(path.name) + sum(path.name.encode()) % 50, 12)
    path.write_text(own_clips.bvh_text({("LeftArm", "X"): turn}, frames=12))


def as_openpose(path, xyz):
    """A clip as a folder of frames."""
    offset = sum(path.name.encode()) % 50 / 100
    pixels = own_clips.pixels(own_clips.people("openpose25"))[:12] + offset
    own_clips.write_openpose(path, pixels)


KINDS = {"csv": (None, ".csv"), "bvh": (as_bvh, ".bvh"), "openpose": (as_openpose, "")}


def written(project, root, kind):
    """The project as the page has it after its third step."""
    write, ending = KINDS[kind]
    own_clips.write_folder(project / "recordings", write, ending)
    (project / "suites").mkdir()
    settings = yaml.safe_load((root / "params.yaml").read_text())
    (project / "params.yaml").write_text(
        yaml.safe_dump(settings | {"suite": "mine", "datasets": {}})
    )
    for block in blocks(root / "docs/own-data.md"):
        file = project / block.word
        if block.language == "csv":
            file.write_text(block.text)
        elif block.language == "yaml" and block.word.endswith(".yaml"):
            before = yaml.safe_load(file.read_text()) if file.exists() else {}
            file.write_text(yaml.safe_dump(merge(before, yaml.safe_load(block.text))))


def commands(root, word):
    for block in blocks(root / "docs/own-data.md"):
        if block.language == "sh" and block.word == word:
            yield from block.text.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_leads_from_files_to_arrays(tmp_path, monkeypatch, root, capsys, kind):
    """People try this before anything else, with the files that they happen to have."""
    written(tmp_path, root, kind)
    monkeypatch.chdir(tmp_path)
    ending = KINDS[kind][1]
    typed = list(commands(root, "ten"))
    assert len(typed) == 7
    for line in typed:
        line = line.replace("anna_wave_1", f"anna_wave_1{ending}")
        cli.main(shlex.split(line)[3:])
    said = capsys.readouterr()
    assert "suite mine is sound" in said.err
    assert "xsub: 4 + 4 clips" in said.out
    assert json.loads(Path("leakage.json").read_text())["train"] == 4
    assert np.load("data/arrays/mine/view50/x.npy").shape[0] == 8


@pytest.mark.integration
def test_the_page_leads_to_a_table(tmp_path, root):
    """The promise of the page: one command more, and there is a table."""
    for name in ("workflow", "profiles", "Snakefile"):
        (tmp_path / name).symlink_to(root / name)
    written(tmp_path, root, "csv")
    (line,) = commands(root, "slow")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        line.split(),
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(root), "MLFLOW_TRACKING_URI": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    table = (tmp_path / "results/mine/tables/comparison.md").read_text()
    assert "mine, xsub" in table
    assert "| simclr |" in table
