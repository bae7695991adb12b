"""What leaves this machine, and whether a colleague gets all of it: docs/sharing.md."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from pstl import paths

if find_spec("dvc") is None or find_spec("snakemake") is None:
    pytest.skip("dvc or snakemake is not installed: this is a machine for the compute core only", allow_module_level=True)

PRIVATE = ("data/raw", "data/sequences", "data/recordings")  # recordings of people, as they came and as they were read
NOTHING = "Nothing to be done"


def say(folder: Path, *command: str, code: int | None = 0) -> str:
    """Run a tool of this environment in a checkout, with that checkout's own code. Returns: everything it said."""
    bin_, env = Path(sys.executable).parent, {**os.environ, "CUDA_VISIBLE_DEVICES": "", "MLFLOW_TRACKING_URI": "", "DVC_NO_ANALYTICS": "1"}
    env |= {"PYTHONPATH": str(folder), "PATH": f"{bin_}{os.pathsep}{env['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert code is None or done.returncode == code, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def stored(root: Path) -> list[str]:
    """Every path that DVC keeps and pushes, with the suite's name left open."""
    stage = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["pipeline"]
    entries = [*stage["outs"], *stage["metrics"], *stage["plots"]]
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def test_no_recording_is_among_what_is_pushed(root: Path) -> None:
    """Most licences forbid to pass recordings on, and a push cannot be taken back."""
    for path in stored(root):
        assert not any(path.startswith(private) or private.startswith(path.rstrip("/") + "/") for private in PRIVATE), path
    ignored = (root / ".dvcignore").read_text().splitlines()
    assert {f"/{private}" for private in PRIVATE} <= set(ignored)
    assert {paths.raw("x"), paths.sequences("x")} == {"data/raw/x", "data/sequences/x"}


def test_what_is_made_is_pushed(root: Path) -> None:
    """A file that the report needs and DVC does not keep is missing from every clone."""
    kept = stored(root)
    for made in ("data/arrays", "results/${suite}/runs", "results/${suite}/report/index.html", ".snakemake/metadata"):
        assert made in kept
    assert all("persist" in json.dumps(entry) for entry in yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["pipeline"]["outs"])


@pytest.fixture(scope="module")
def first(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which the tiny suite was run, committed and pushed to a remote beside it."""
    from test_pipeline import TINY

    home = tmp_path_factory.mktemp("team") / "first"
    home.mkdir()
    names = say(root, "git", "ls-files", "--cached", "--others", "--exclude-standard", "--", ":!results").splitlines()
    for name in names:
        if (root / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes((root / name).read_bytes())
    (home / "params.yaml").write_text(yaml.safe_dump({**TINY, "tasks": {**TINY["tasks"], "knn": {"k": 1}}}, sort_keys=False))
    say(home, "git", "init", "-q", "-b", "main")
    identity(home)
    say(home, "dvc", "remote", "add", "-q", "-d", "store", str(home.parent / "store"))
    say(home, "git", "add", "-A")
    say(home, "git", "commit", "-qm", "start")
    say(home, "snakemake")
    say(home, "dvc", "commit", "-f")
    say(home, "git", "add", "-A")
    say(home, "git", "commit", "-qm", "run")
    say(home, "dvc", "push")
    return home


def identity(folder: Path) -> None:
    say(folder, "git", "config", "user.email", "someone@example.org")
    say(folder, "git", "config", "user.name", "someone")


def recordings(folder: Path) -> list[Path]:
    """Files with coordinates in them."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".skeleton", ".bin")]


@pytest.mark.integration
def test_a_second_clone_has_everything_without_computing(first: Path) -> None:
    """Results count when a colleague can get them: clone, pull, nothing to be done; an edit runs what depends on it, no more."""
    from test_pipeline import planned

    second = first.parent / "second"
    say(first.parent, "git", "clone", "-q", str(first), str(second))
    identity(second)
    say(second, "dvc", "pull")
    assert not any((second / private).exists() for private in PRIVATE)
    pushed = {path.read_bytes() for path in (first.parent / "store").rglob("*") if path.is_file()}
    assert not pushed & {path.read_bytes() for private in PRIVATE for path in recordings(first / private)}
    assert NOTHING in say(second, "snakemake", "-n")
    assert "up to date" in say(second, "dvc", "status")
    settings: dict[str, Any] = yaml.safe_load((second / "params.yaml").read_text())
    settings["methods"]["pstl"]["train"]["lr"] = 4.0e-3
    (second / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    jobs = planned(say(second, "snakemake", "-n"))
    assert jobs == {"pretrain": 2, "features": 2, "evaluate": 2, "fuse": 1, "report": 1, "page": 1, "track": 1, "all": 1}
    say(second, "git", "checkout", "-q", "params.yaml")
    assert say(second, "dvc", "params", "diff") == ""

    say(second, "dvc", "exp", "run", "-S", "tasks.knn.k=7", "-n", "wider")
    assert "tasks.knn.k" in say(second, "dvc", "params", "diff")
    changed = json.loads(say(second, "dvc", "metrics", "diff", "--json"))
    assert "knn_top1" in json.dumps(changed), changed
    assert "comparison.csv" in say(second, "dvc", "plots", "diff", "--json")
    assert "wider" in say(second, "dvc", "exp", "show", "--csv")
    say(second, "git", "checkout", "-q", ".")
    say(second, "dvc", "checkout")
    assert NOTHING in say(second, "snakemake", "-n")


@pytest.mark.integration
def test_recordings_cannot_be_added_by_hand(first: Path) -> None:
    """Nobody reads a rule at midnight: DVC itself refuses what must stay here."""
    for private in PRIVATE[:2]:
        say(first, "dvc", "add", str(recordings(first / private)[0]), code=1)
