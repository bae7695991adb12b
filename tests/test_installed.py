"""The package without its checkout: built as a wheel, unpacked, and used in an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from snakemake_calls import TINY

from pstl import checkout, cli, code_hash, new_project
from pstl.errors import UserError

BUILT_FROM = (
    "pstl", "suites", "hub", "workflow", "profiles", "results/measured/bench", "params.yaml",
    "Snakefile", "README.md", "LICENSE", "pyproject.toml", "setup.py",
)  # fmt: skip
BUILD = "import sys; from setuptools import build_meta; build_meta.{}(sys.argv[1])"


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of a wheel, made of the archive of sources, as it is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in BUILT_FROM:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, source / name, ignore=ignored)
        else:
            shutil.copy(root / name, source / name)
    _build("build_sdist", source, folder)
    (sources,) = folder.glob("pstl-*.tar.gz")
    shutil.unpack_archive(sources, folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    _build("build_wheel", source, folder)
    (wheel,) = folder.glob("pstl-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _build(what: str, source: Path, out: Path) -> None:
    """Have setuptools make an archive of sources or a wheel."""
    command = [sys.executable, "-c", BUILD.format(what), str(out)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr


def typed(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command line of the installed package, in a folder."""
    known = {"PYTHONPATH": str(site), "CUDA_VISIBLE_DEVICES": "", "MLFLOW_TRACKING_URI": ""}
    command = [sys.executable, "-P", "-m", *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | known, capture_output=True, text=True
    )


def files_below(folder: Path) -> dict[str, bytes]:
    """Place -> content of every file, caches left out."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in paths if "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def test_a_wheel_carries_what_the_checkout_has(root: Path, site: Path) -> None:
    """Two copies of the settings would part; the second is made from the first, whole."""
    carried = files_below(site / "pstl" / "project")
    for place, content in carried.items():
        assert content == (root / place).read_bytes(), place
    kinds = ("suites", "*.yaml"), ("workflow/rules", "*.smk"), ("workflow", "*.py")
    for folder, ending in (*kinds, ("hub/synthetic/simclr", "*")):
        expected = {f"{folder}/{path.name}" for path in (root / folder).glob(ending)}
        assert expected
        assert expected <= carried.keys()
    assert {"params.yaml", "Snakefile", "results/measured/bench/cpu.json"} <= carried.keys()
    package = {name for name in files_below(site / "pstl") if not name.startswith("project/")}
    assert package == files_below(root / "pstl").keys()


def test_installed_code_has_the_hash_of_the_checkouts(site: Path, tmp_path: Path) -> None:
    """Jobs are not run again because the package moved; a row's version can be compared."""
    asked = ("pstl.train.pretrain", "pstl.evaluation.run", "pstl.report.build")
    code = (
        "import json; from pstl import code_hash, checkout, provenance as p\n"
        f"print(json.dumps([[code_hash.code_hash(m) for m in {asked}], code_hash.package_hash(),"
        " checkout.is_installed(), p.git_hash()]))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    hashes, package, is_installed, commit = json.loads(done.stdout)
    assert hashes == [code_hash.code_hash(module) for module in asked]
    assert package == code_hash.package_hash()
    assert is_installed
    assert not checkout.is_installed()
    assert commit.endswith(f"+installed.{package[:12]}")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--version", 0, "+installed."),
        ("check --suite builtin", 0, "suite builtin is sound"),
        ("plan builtin", 0, "pretrain"),
        ("live --weights synthetic/simclr --stream s.jsonl", 2, "s.jsonl: no such file"),
        ("export builtin/synthetic/xsub/pstl/joint/s0 --hub a/b", 2, "name --out FOLDER"),
        ("doctor sbu", 1, "sbu: missing"),
        ("embed", 2, "Missing option '--weights'"),
        ("embed --weights no.pt --input x.npy --output f.npy", 2, "no.pt: no such file"),
        ("list --weights", 0, "synthetic/simclr "),
        ("predict nothing --weights synthetic/simclr", 2, "nothing: no such file or folder"),
        ("show nothing.npy --out x.gif", 2, "nothing.npy"),
        ("bench", 2, "run this in a checkout"),
        ("check --params mine.yaml", 2, "mine.yaml: no such file"),
    ],
)
def test_a_verb_works_in_an_empty_folder_or_says_what_it_needs(
    site: Path, tmp_path: Path, words: str, code: int, said: str
) -> None:
    """Who has installed the package has no checkout, and types in any folder."""
    done = typed(site, tmp_path, "pstl", *words.split())
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
    if code == 2:
        lines = [line for line in done.stderr.splitlines() if " here; taking " not in line]
        assert len(lines) == 1


def test_a_default_file_of_the_folder_goes_before_the_packages(site: Path, tmp_path: Path) -> None:
    """Settings that one has written are the settings, a broken file is no missing one."""
    (tmp_path / "params.yaml").write_text("suite: [")
    done = typed(site, tmp_path, "pstl", "check")
    assert done.returncode == 2
    assert "pstl check: params.yaml, line 1" in done.stderr


def test_a_project_is_written_whole_and_only_into_an_empty_folder(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One word in the wrong folder must not mix a project with somebody's files."""
    cli.main(["init", str(tmp_path / "mine")])
    assert "next: " in capsys.readouterr().err
    made = files_below(tmp_path / "mine")
    assert made["params.yaml"] == (root / "params.yaml").read_bytes()
    assert {f"suites/{path.name}" for path in (root / "suites").iterdir()} <= made.keys()
    assert {"Snakefile", ".gitignore", "README.md", "profiles/default/config.yaml"} <= made.keys()
    assert len(made["README.md"].splitlines()) <= 12
    with pytest.raises(UserError, match=r"not empty, there is \.gitignore"):
        new_project.init(tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file stands there"):
        new_project.init(tmp_path / "file")
    (tmp_path / "cloned/.git").mkdir(parents=True)
    new_project.init(tmp_path / "cloned")
    assert (tmp_path / "cloned/Snakefile").exists()


def few_people(project: Path) -> None:
    """The smallest suite in place of the tour."""
    settings = {key: value for key, value in TINY.items() if key != "suites"}
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    shutil.rmtree(project / "suites")
    (project / "suites").mkdir()
    (project / "suites/tiny.yaml").write_text(yaml.safe_dump(TINY["suites"]["tiny"]))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("snakemake") is None, reason="snakemake is not installed")
def test_a_new_project_lists_the_jobs_of_the_tour(site: Path, tmp_path: Path) -> None:
    """The first thing one types after `pstl init`."""
    assert typed(site, tmp_path, "pstl", "init", "mine").returncode == 0
    done = typed(site, tmp_path / "mine", "snakemake", "-n", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pretrain" in done.stdout + done.stderr


@pytest.mark.integration
@pytest.mark.skipif(find_spec("snakemake") is None, reason="snakemake is not installed")
def test_a_new_project_runs_to_its_tables(site: Path, tmp_path: Path) -> None:
    """From an installed package to a table, and rows that say what made them."""
    assert typed(site, tmp_path, "pstl", "init", "mine").returncode == 0
    few_people(tmp_path / "mine")
    done = typed(site, tmp_path / "mine", "snakemake", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = tmp_path / "mine/results/tiny/runs/synthetic/xsub/pstl/joint/s0/released/linear.json"
    assert "+installed." in json.loads(rows.read_text())["rows"][0]["git"]
    assert (tmp_path / "mine/.snakemake/preloaded.log").read_text() == ""
    again = typed(site, tmp_path / "mine", "snakemake", "--cores", "2")
    assert "Nothing to be done" in again.stdout + again.stderr
