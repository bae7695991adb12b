"""Pages that tell people what to type are typed here, so that they cannot go out of date."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml

from pstl import config
from pstl.config import merge
from pstl.errors import UserError
from pstl.plan import bill
from pstl.report import quote

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.M | re.S)


class Block(NamedTuple):
    """A fenced block: its language, the word after it (a file, or "slow"), its text."""

    language: str
    word: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    return (Block(m[1], m[2] or "", m[3]) for m in BLOCK.finditer(page.read_text()))


def quoting_pages() -> list[str]:
    """Pages with kept results in them, from the project's root."""
    root = Path(__file__).parents[1]
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    marked = [page for page in pages if "\n<!-- results: " in page.read_text()]
    return [page.relative_to(root).as_posix() for page in marked]


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """A copy of what the walk-throughs touch."""
    for name in ("pstl", "workflow", "profiles", "suites"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "params.yaml", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "tests/methods").mkdir(parents=True)
    return tmp_path


def follow(page: Path, project: Path, slow: bool) -> int:
    """Do what the page says. Returns: number of commands typed."""
    env = {
        **os.environ,
        "PYTHONPATH": str(project),
        "CUDA_VISIBLE_DEVICES": "",
        "MLFLOW_TRACKING_URI": "",
    }
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    typed = 0
    for block in blocks(page):
        if block.language == "python" and block.word:
            (project / block.word).write_text(block.text)
        elif block.language == "yaml" and block.word:
            file = project / block.word
            before = yaml.safe_load(file.read_text()) if file.exists() else {}
            after = merge(before, yaml.safe_load(block.text))
            file.write_text(yaml.safe_dump(after, sort_keys=False))
        elif block.language == "sh" and (not block.word or (slow and block.word == "slow")):
            for line in block.text.splitlines():
                done = subprocess.run(
                    line,
                    shell=True,
                    cwd=project,
                    env=env,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}"
                typed += 1
    return typed


def test_a_method_is_added_as_the_page_says(root: Path, project: Path) -> None:
    """The promise to newcomers: one file, one entry, one test, and it trains and is evaluated."""
    few_people(project)
    assert follow(root / "docs/add-a-method.md", project, slow=False) == 9
    rows = json.loads((project / "knn.json").read_text())["rows"]
    accuracy = next(row["value"] for row in rows if row["metric"] == "top1")
    assert 0 < accuracy <= 100
    assert {row["method"] for row in rows} == {"arrow"}
    curve = (project / "curve.jsonl").read_text().splitlines()
    assert len(curve) == 20


def few_people(project: Path) -> None:
    """Fewer clips than the page's, so that following it takes seconds."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["datasets"]["synthetic"] |= {"performers": 2, "cameras": 1, "repetitions": 1}
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


@pytest.mark.integration
def test_the_added_method_reaches_the_report(root: Path, project: Path) -> None:
    """From the file of the page to its row in the tables, without touching anything else.

    On fewer clips than the page's.
    """
    few_people(project)
    assert follow(root / "docs/add-a-method.md", project, slow=True) == 10
    assert "| arrow |" in (project / "results/mine/tables/comparison.md").read_text()
    assert "<td>arrow</td>" in (project / "results/mine/report/index.html").read_text()


def test_a_data_set_is_added_as_the_page_says(root: Path, project: Path) -> None:
    """People's own recordings are why they come.

    The page's few lines must carry them to an array.
    """
    rng, folder = np.random.default_rng(0), project / "recordings"
    folder.mkdir()
    for action in (1, 2):
        for person in (1, 2):
            for repetition in (1, 2):
                np.save(
                    folder / f"A{action:02}_P{person:02}_R{repetition:02}.npy",
                    rng.normal(size=(20 + action, 16, 3)),
                )
    assert follow(root / "docs/add-a-data-set.md", project, slow=False) == 5
    assert np.load(project / "data/arrays/mine/resize50/x.npy").shape == (8, 3, 50, 16, 1)
    assert '"skeleton": "suit16"' in (project / "data/arrays/mine/resize50/meta.json").read_text()


def test_a_task_with_its_own_metric_is_added_as_the_page_says(root: Path, project: Path) -> None:
    """A new metric is one entry in its task's file: tables show it without having heard of it."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["datasets"]["synthetic"] = {"performers": 2, "cameras": 1, "repetitions": 1}
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    assert follow(root / "docs/add-a-task.md", project, slow=False) == 8
    home = project / "results/mine/runs/synthetic/xsub/random_init/joint/s0/released"
    (row,) = json.loads((home / "separation.json").read_text())["rows"]
    table = (project / "results/mine/tables/comparison.md").read_text()
    assert "Separation: distance to the nearest other class over that to one's own" in table
    assert "| method | separation, joint |" in table
    assert f"| random_init \\* | {row['value']:.2f} |" in table
    assert "| method | stream | released: separation |" in table


def test_a_recipe_is_added_as_the_page_says(root: Path, project: Path) -> None:
    """A paper's preprocessing is one file: nothing else may have to know of it."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["datasets"]["synthetic"] = {"performers": 2, "cameras": 1, "repetitions": 1}
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    assert follow(root / "docs/add-a-recipe.md", project, slow=False) == 4
    x = np.load(project / "data/arrays/synthetic/start/x.npy")
    assert x.shape[1:] == (3, 40, 25, 2)
    assert not x[:, :, 0, 0, 0].any()  # the hips of the first frame are the origin


def test_a_suite_is_written_as_the_page_says(root: Path, project: Path) -> None:
    """Ten lines that an editor completes: whoever copies them must be able to run them."""
    (project / "results/measured/bench").mkdir(parents=True)
    shutil.copy(root / "results/measured/bench/cpu.json", project / "results/measured/bench")
    assert follow(root / "docs/suites.md", project, slow=False) == 3
    schema = json.loads((project / "settings.schema.json").read_text())
    assert "experiments" in schema["then"]["properties"]


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    """A reader who follows a link to nothing stops reading."""
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_first_page_leads_with_what_a_stranger_can_see(root: Path) -> None:
    """A picture, two commands and a table of real data, before anything that must be read."""
    page = (root / "README.md").read_text()
    order = ["docs/pictures/headline.svg", "make install\nmake run\n", "<!-- results: ", "\n## "]
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert page[: places[-1]].count("\n") < 60


def test_the_first_page_says_how_many_jobs_its_command_runs(root: Path) -> None:
    """Who is told minutes and gets hours does not come back."""
    (told,) = re.findall(r"in (\d+) jobs", (root / "README.md").read_text())
    params = config.load(root / "params.yaml")
    assert int(told) == sum(bill.jobs(params, params.suite).values())


@pytest.mark.parametrize("page", quoting_pages())
def test_quoted_results_are_the_kept_ones(root: Path, page: str) -> None:
    """A number in a page that the tables no longer say is worse than none.

    If this fails: `make docs`.
    """
    found = list(quote.PLACE.finditer((root / page).read_text()))
    assert found
    for place in found:
        quoted = place[0].removeprefix(place["start"] + "\n").removesuffix("\n" + place["end"])
        folder, _, rest = place["what"].partition(";")
        parts = re.split(r"^### (.*)\n\n", quoted, flags=re.M)
        named = dict(zip(parts[1::2], parts[2::2], strict=True)) or {"": quoted}
        for name, table in named.items():
            assert table.strip() == quote.block(f"{Path(folder, name)};{rest}".strip(";"), root), (
                f"{page}, {folder}/{name}"
            )


def test_a_page_without_a_place_for_results_is_refused(tmp_path: Path) -> None:
    """A mark with a typo would leave old numbers standing for ever."""
    page = tmp_path / "page.md"
    page.write_text("<!-- result: x -->")
    with pytest.raises(UserError, match="no place for results"):
        quote.quote(page)
    page.write_text("<!-- results: nosuch -->\n1.0\n<!-- end of results -->")
    with pytest.raises(UserError, match=r"no comparison\.csv there"):
        quote.quote(page, tmp_path)
    assert "1.0" in page.read_text()


def test_a_fact_that_a_kept_page_does_not_state_is_refused(root: Path) -> None:
    """How long a run took is quoted from its page; an empty cell would read as no time."""
    folder = "results/measured/nwucla-cpu-80"
    assert "s of pre-training" in quote.block(f"{folder}; facts=wall time", root)
    with pytest.raises(UserError, match="no 'hours' in its head"):
        quote.block(f"{folder}; facts=hours", root)
