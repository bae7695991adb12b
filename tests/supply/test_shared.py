"""What lets others find, take and cite the project: each said once, and true of the checkout."""

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake_calls import TINY, environment, write

import pstl
from pstl.config.schema import json_schema

pytest.importorskip("snakemake")


def test_the_editors_schema_is_up_to_date(root: Path) -> None:
    """Who sees a right key marked as wrong ignores the next mark; `make docs` writes the file."""
    assert json.loads((root / "settings.schema.json").read_text()) == json_schema()


def test_every_settings_file_names_the_schema(root: Path) -> None:
    """Editors look for the line on top of the file; a new suite is copied from an old one."""
    line = "# yaml-language-server: $schema={}settings.schema.json\n"
    assert (root / "params.yaml").read_text().startswith(line.format(""))
    for suite in sorted((root / "suites").glob("*.yaml")):
        assert suite.read_text().startswith(line.format("../")), suite.name


def test_the_citation_is_of_this_version(root: Path) -> None:
    """Who cites a version must be able to find it."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text())
    assert cited["version"] == pstl.__version__
    assert isinstance(cited["date-released"], date)


@pytest.mark.parametrize("of", ["the project", "its references"])
def test_the_citation_is_well_formed(root: Path, of: str) -> None:
    """Reference managers drop a file with an unknown key, without a word (CFF 1.2.0)."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text())
    if of == "the project":
        assert cited.keys() == {
            "cff-version", "message", "title", "type", "version", "date-released", "license",
            "authors", "references",
        }  # fmt: skip
        assert (cited["cff-version"], cited["type"]) == ("1.2.0", "software")
        works = [cited]
    else:
        works = cited["references"]
        known = {"type", "title", "notes", "authors", "conference", "year", "journal", "url", "doi"}
        for work in works:
            assert {"type", "title", "authors"} <= work.keys() <= known, work["title"]
            assert work["type"] in {"conference-paper", "article", "data", "software"}
            assert isinstance(work.get("year", 2000), int)
            assert isinstance(work.get("conference", {"name": ""})["name"], str)
    for work in works:
        assert work["authors"]
        for author in work["authors"]:
            assert author.keys() in ({"name"}, {"family-names", "given-names"}), author


def test_the_hub_s_encoders_are_dvc_artifacts(root: Path) -> None:
    """A name in dvc.yaml that leads nowhere fails on the machine of who asks for it."""
    artifacts = yaml.safe_load((root / "dvc.yaml").read_text())["artifacts"]
    hub = {path.parent.relative_to(root).as_posix() for path in root.glob("hub/*/*/config.json")}
    assert {each["path"] for each in artifacts.values()} == hub
    for name, artifact in artifacts.items():
        assert name == artifact["path"].removeprefix("hub/").replace("/", "-").replace("_", "-")
        assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)  # what DVC allows
        assert artifact["type"] == "model"


def test_an_encoder_is_got_by_its_name(root: Path, tmp_path: Path) -> None:
    """The user of an encoder has DVC and an address, and no checkout."""
    origin, got = tmp_path / "origin", tmp_path / "got"
    for place in ("dvc.yaml", ".dvc/config", "params.yaml", "hub/synthetic/simclr"):
        (origin / place).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (root / place).is_dir() else shutil.copy
        copy(root / place, origin / place)
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        [*who, "commit", "-qm", "A release"],
        [*who, "tag", "-a", "-m", "A release", "synthetic-simclr@v0.1.0"],
    ):
        subprocess.run(["git", *words], cwd=origin, check=True)
    command = [sys.executable, "-m", "dvc", "artifacts", "get", str(origin), "synthetic-simclr"]
    done = subprocess.run([*command, "-o", str(got)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    weights = "model.safetensors"
    assert (got / weights).read_bytes() == (root / "hub/synthetic/simclr" / weights).read_bytes()


def test_hosted_ci_runs_what_ci_runs(root: Path) -> None:
    """Two lists of checks part; the second calls the first."""
    hosted = yaml.safe_load((root / ".github/workflows/ci.yml").read_text())
    (job,) = hosted["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    versions = job["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13"]  # those that `make install` takes


def test_the_catalog_s_entry_is_well_formed(root: Path) -> None:
    """The catalog leaves out a workflow whose entry it cannot read."""
    entry: Any = yaml.safe_load((root / ".snakemake-workflow-catalog.yml").read_text())
    assert entry["usage"]["software-stack-deployment"]["apptainer"] is True
    assert entry["usage"]["report"] is True
    keys = (root / "config/README.md").read_text()
    assert all(f"| `{key}` |" in keys for key in ("suite", "params", "archives", "container"))


OUTER = """
module skeletons:
    snakefile:
        {snakefile!r}
    config:
        config["skeletons"]
    prefix:
        "skeletons"


use rule * from skeletons as skeletons_*


rule answer:
    default_target: True
    input:
        "skeletons/data/sequences/synthetic/meta.json",
    output:
        "answer.txt",
    shell:
        "echo $(wc -c <{{input}}) >{{output}}"
"""


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_another_workflow_takes_this_one_as_a_module(
    root: Path, tmp_path: Path, snakefile: str
) -> None:
    """All that it writes stays below the prefix, and the outer rules go on as they were."""
    write(tmp_path, TINY)
    (tmp_path / "Snakefile").write_text(OUTER.format(snakefile=str(root / snakefile)))
    settings = json.dumps({"suite": "tiny"})
    words = ["--cores", "1", "--config", f"skeletons={settings}"]
    plan = ["--dry-run", *words, "--", "skeletons/results/tiny/tables/summary.json"]
    said = _outer(root, tmp_path, plan)
    for rule in ("pretrain", "features", "evaluate", "fuse", "report"):
        assert f"skeletons_{rule}" in said
    if snakefile == "Snakefile":
        _outer(root, tmp_path, words)
        assert (tmp_path / "skeletons/data/sequences/synthetic/meta.json").exists()
        assert int((tmp_path / "answer.txt").read_text())
        assert not (tmp_path / "data").exists()


def _outer(root: Path, folder: Path, words: list[str]) -> str:
    command = [sys.executable, "-m", "snakemake", *words]
    env = environment() | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
