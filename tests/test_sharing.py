"""What leaves this machine, and whether a colleague gets all of it: docs/sharing.md."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from settings_files import write_settings

from pstl import paths

if find_spec("dvc") is None or find_spec("snakemake") is None:
    pytest.skip(
        "dvc or snakemake is not installed: this is a machine for the compute core only",
        allow_module_level=True,
    )

PRIVATE = (
    "data/raw",
    "data/sequences",
    "data/recordings",
)  # recordings of people, as they came and as they were read
NOTHING = "Nothing to be done"


def say(folder: Path, *command: str, code: int | None = 0) -> str:
    """Run a tool of this environment in a checkout, with that checkout's own code.

    Returns: everything it said.
    """
    bin_, env = (
        Path(sys.executable).parent,
        {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "",
            "MLFLOW_TRACKING_URI": "",
            "DVC_NO_ANALYTICS": "1",
        },
    )
    env |= {"PYTHONPATH": str(folder), "PATH": f"{bin_}{os.pathsep}{env['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert code is None or done.returncode == code, f"{' '.join(command)}: {done.stdout}"
    return done.stdout


def stored(root: Path) -> list[str]:
    """Every path that DVC keeps and pushes, with the suite's name left open."""
    stage = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["pipeline"]
    entries = [*stage["outs"], *stage["metrics"]]
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def test_no_recording_is_among_what_is_pushed(root: Path) -> None:
    """Most licences forbid to pass recordings on, and a push cannot be taken back."""
    for path in stored(root):
        assert not any(
            path.startswith(private) or private.startswith(path.rstrip("/") + "/")
            for private in PRIVATE
        ), path
    ignored = (root / ".dvcignore").read_text().splitlines()
    assert {f"/{private}" for private in PRIVATE} <= set(ignored)
    assert {paths.raw("x"), paths.sequences("x")} == {"data/raw/x", "data/sequences/x"}


def test_what_is_made_is_pushed(root: Path) -> None:
    """A file that the report needs and DVC does not keep is missing from every clone."""
    kept = stored(root)
    for folder in (
        "data/arrays",
        "data/labels",
        "results/${suite}/runs",
        "results/${suite}/tables/metrics",
        "results/${suite}/report/index.html",
        ".snakemake/metadata",
    ):
        assert folder in kept
    rule = (root / "workflow/rules/report.smk").read_text()
    made = [
        (name, end)
        for end, names in re.findall(r'tables/\{name\}\.(\w+)",\s+name=\[(.*?)\]', rule)
        for name in re.findall(r'"(\w+)"', names)
    ]
    assert {end for _, end in made} == {"csv", "png"}
    assert all(f"results/${{suite}}/tables/{name}.{end}" in kept for name, end in made)
    assert all(
        "persist" in json.dumps(entry)
        for entry in yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["pipeline"]["outs"]
    )


def checkout(root: Path, home: Path, params: dict[str, Any]) -> Path:
    """A repository of its own with this project's files as they are here, settings of the test, and
    a remote for DVC beside it.
    """
    home.mkdir(parents=True)
    names = say(
        root,
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        ":!results",
        ":!tests",
    ).splitlines()
    for name in names:
        if (root / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes((root / name).read_bytes())
    shutil.rmtree(home / "suites")  # which are about methods that the test has not
    write_settings(home, params)
    say(home, "git", "init", "-q", "-b", "main")
    identity(home)
    say(home, "dvc", "remote", "add", "-q", "-d", "store", str(home.parent / "store"))
    say(home, "git", "add", "-A")
    say(home, "git", "commit", "-qm", "start")
    return home


def shared_by(home: Path) -> Path:
    """What docs/sharing.md says to type after a run; then a clone that pulled.

    Returns: the clone.
    """
    say(home, "dvc", "commit", "-f")
    say(home, "git", "add", "-A")
    say(home, "git", "commit", "-qm", "run")
    say(home, "dvc", "push")
    second = home.parent / "second"
    say(home.parent, "git", "clone", "-q", str(home), str(second))
    identity(second)
    say(second, "dvc", "pull")
    return second


@pytest.fixture(scope="module")
def clones(
    root: Path, finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A checkout in which the tiny suite ran, and a clone of it that pulled."""
    from snakemake_calls import TINY

    first = checkout(root, tmp_path_factory.mktemp("team") / "first", TINY)
    shutil.copytree(finished, first, dirs_exist_ok=True)
    return first, shared_by(first)


def identity(folder: Path) -> None:
    say(folder, "git", "config", "user.email", "someone@example.org")
    say(folder, "git", "config", "user.name", "someone")


def recordings(folder: Path) -> list[Path]:
    """Files with coordinates in them."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".skeleton", ".bin")
    ]


@pytest.mark.slow
def test_a_second_clone_has_everything_without_computing(clones: tuple[Path, Path]) -> None:
    """Results count when a colleague can get them: clone, pull, nothing to be done, and every file
    is the one that was made.
    """
    first, second = clones
    assert NOTHING in say(second, "snakemake", "-n")
    for made in ("data/arrays", "data/leakage", "results"):
        files = [
            path.relative_to(first)
            for path in (first / made).rglob("*")
            if path.is_file() and path.suffix != ".log"
        ]
        # The index is of what a machine has, and made at the end of every run.
        files = [path for path in files if path != Path("results/index.html")]
        assert files
        assert all((second / path).read_bytes() == (first / path).read_bytes() for path in files)


@pytest.mark.slow
def test_no_recording_reaches_the_remote(clones: tuple[Path, Path]) -> None:
    """What the owners of recordings forbid is checked on the bytes that were pushed, not on the
    rules alone.
    """
    first, second = clones
    assert not any((second / private).exists() for private in PRIVATE)
    pushed = {path.read_bytes() for path in (first.parent / "store").rglob("*") if path.is_file()}
    kept = {path.read_bytes() for private in PRIVATE for path in recordings(first / private)}
    assert pushed
    assert kept
    assert not pushed & kept
    for private in PRIVATE[:2]:  # nobody reads a rule at midnight: DVC itself refuses
        say(first, "dvc", "add", str(recordings(first / private)[0]), code=1)


@pytest.mark.slow
def test_an_edit_in_the_clone_runs_what_depends_on_it(clones: tuple[Path, Path]) -> None:
    """Whoever pulled and tries another learning rate must not train the other methods, nor need the
    recordings.
    """
    from snakemake_calls import changed, planned

    _, second = clones
    settings = changed("methods.pstl.train", lr=4.0e-3)
    shared = {name: section for name, section in settings.items() if name != "suites"}
    (second / "edited.yaml").write_text(yaml.safe_dump(shared, sort_keys=False))
    jobs = planned(say(second, "snakemake", "-n", "--config", "params=edited.yaml"))
    assert jobs == {
        "pretrain": 2,
        "features": 2,
        "evaluate": 2,
        "fuse": 1,
        "report": 1,
        "page": 1,
        "track": 1,
        "all": 1,
    }
    (second / "edited.yaml").unlink()


@pytest.mark.integration
def test_the_whole_round_by_dvc(root: Path, tmp_path: Path) -> None:
    """Two people, a remote, and every command of docs/sharing.md on the project's own results.

    The run itself is DVC's.
    """
    from snakemake_calls import TINY

    # Accuracies stay at chance after so few steps; the mean precision of retrieval moves.
    params = json.loads(json.dumps(TINY))
    params["tasks"]["retrieval"] = {}
    params["suites"]["tiny"]["experiments"][0]["tasks"].append("retrieval")
    first = checkout(root, tmp_path / "team/first", params)
    say(first, "dvc", "repro")
    second = shared_by(first)
    assert NOTHING in say(second, "snakemake", "-n")
    assert "up to date" in say(second, "dvc", "status")
    assert say(second, "dvc", "params", "diff") == say(second, "dvc", "metrics", "diff") == ""

    kept = {
        path: path.read_bytes()
        for path in (second / "results").rglob("*")
        if path.is_file() and "pstl" not in path.parts
    }
    edits = ["-S", "methods.pstl.train.lr=0.05"]
    said = say(second, "dvc", "exp", "run", *edits, "-n", "quicker")
    assert said.count("pre-train tiny/") == 2, said
    assert not any((second / private).exists() for private in PRIVATE), (
        "the arrays were there: nothing had to be read again"
    )
    assert all(path.read_bytes() == old for path, old in kept.items() if "raw" in path.parts)
    assert "methods.pstl.train.lr" in say(second, "dvc", "params", "diff")
    difference = json.loads(say(second, "dvc", "metrics", "diff", "--json"))
    assert "synthetic/xsub/pstl/joint.json" in json.dumps(difference), difference
    assert "accuracy.png" in say(second, "dvc", "plots", "diff", "--json")
    assert "quicker" in say(second, "dvc", "exp", "show", "--csv")
    say(second, "git", "checkout", "-q", ".")
    say(second, "dvc", "checkout")
    assert NOTHING in say(second, "snakemake", "-n")
