"""The page over all suites."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import browser
import pytest
from report.fabricated import GRID, params, write_all

from pstl import cli
from pstl.report import quote
from pstl.report.build import build
from pstl.report.headline import headline

MEASURED = Path(__file__).parents[2] / "results" / "measured"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one suite that was run, and its tables kept under another name."""
    monkeypatch.chdir(tmp_path)
    settings = params({**GRID, "batch_norm": ["released"]})
    write_all(settings)
    build(settings, "tiny", "results/tiny/tables")
    shutil.copytree("results/tiny/tables", "results/measured/tiny-kept")
    return tmp_path


def made() -> str:
    cli.main(["index", "--out", "results/index.html"])
    return Path("results/index.html").read_text("utf-8")


def test_every_suite_is_there_with_what_it_says(home: Path) -> None:
    """Whoever comes back after a month asks what has been run, and what came out."""
    page = made()
    for name, href in (("tiny", "tiny/tables"), ("tiny-kept", "measured/tiny-kept")):
        row = re.search(
            rf'<tr data-data="ntu60"[^>]*>(<th scope="row"><a href="{href}.*?)</tr>', page
        )
        assert row, name
        assert f">{name}</a>" in row[1]
        assert "<td>Invented.</td>" in row[1]
        assert re.search(r"ntu60 xsub, linear top1: pstl, \w+, \d\d\.\d ± \d+\.\d % \(3\)", row[1])
        assert 'data-method="pstl" data-task="linear\nknn"' in page  # for the menus


def test_suites_with_cells_in_common_are_compared(home: Path) -> None:
    """A suite that was run again must not be read beside its old self by eye."""
    page = made()
    cli.main(["compare", "tiny", "results/measured/tiny-kept", "--json", "moved.json"])
    assert len(json.loads(Path("moved.json").read_text())["cells"]) > 7
    command = "python -m pstl compare results/measured/tiny-kept results/tiny/tables"
    assert f"<code>{command}</code>" in page
    assert '<td class="number">7</td>' in page  # cells, all the same


def test_ours_beside_theirs_are_in_the_index(home: Path) -> None:
    """The second question is how far from the papers."""
    page = made()
    assert '<td class="number">77.3</td>' in page


def test_an_empty_folder_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page of a newcomer is the empty one."""
    monkeypatch.chdir(tmp_path)
    page = made()
    assert "No suite has tables below results/measured or results yet." in page
    assert "<code>make run</code>" in page


def test_hostile_tables_are_text_and_damaged_ones_are_named(home: Path) -> None:
    """The index reads whatever lies below results/, also what a stranger sent."""
    folder = home / "results/measured/<img src=x onerror=alert(1)>"
    shutil.copytree(home / "results/tiny/tables", folder)
    for name in ("rows.csv", "comparison.csv"):
        text = (folder / name).read_text().replace(",pstl,", ",<b onclick=alert(2)>,")
        (folder / name).write_text(text)
    damaged = home / "results/measured/damaged"
    shutil.copytree(home / "results/tiny/tables", damaged)
    (damaged / "comparison.csv").write_text("nonsense\n1\n")
    page = made()
    assert "<img src=x" not in page
    assert "<b onclick" not in page
    assert "&lt;b onclick=alert(2)&gt;" in page
    assert "Not shown: results/measured/damaged/comparison.csv" in page


def test_nothing_on_the_page_leaves_the_file(home: Path) -> None:
    """It is opened from a folder, without network, and under a policy that runs one script."""
    page = made()
    assert "script-src 'sha256-" in page
    assert page.count("<script>") == 1
    assert not re.findall(r'(?:src|href)="(?:https?:|//|javascript:)', page)


def test_the_headline_is_no_floor_and_goes_the_right_way(home: Path) -> None:
    """A suite is not summed up by its raw coordinates, nor by the largest error."""
    lines = quote.read(Path("results/tiny/tables/comparison.csv"))
    best = replace(lines[0], method="raw", floor="raw", mean=99.0)
    assert "raw" not in headline([best, *lines])


def test_the_headline_names_what_is_ahead_of_it() -> None:
    """A pre-trained encoder is no news where the same network from scratch does better."""
    lines = quote.read(MEASURED / "cmu-prediction-cpu" / "comparison.csv")
    frozen = [line for line in lines if (line.task, line.metric) == ("prediction", "mpjpe")]
    by_setting = {line.setting: line for line in frozen}
    pretrained, scratch = by_setting["tune=head"], by_setting["baseline=from scratch"]
    said = headline([pretrained, scratch, by_setting["baseline=zero velocity"]])
    assert f"from scratch has {scratch.mean:.1f}" in said, said
    assert "zero velocity" not in said
    behind = replace(scratch, mean=pretrained.mean + 1)
    assert "from scratch" not in headline([pretrained, behind])


CHOSEN = """(() => {
  const table = document.querySelector("table[data-menus]");
  const [data, method, task] = table.parentNode.previousElementSibling.querySelectorAll("select");
  const kept = [];
  for (const [menu, value] of [[method, "psp"], [method, ""], [task, "knn"]]) {
    menu.value = value;
    menu.dispatchEvent(new Event("input"));
    kept.push(Array.from(table.tBodies[0].rows).filter(row => !row.hidden).length);
  }
  return [kept, Array.from(task.options).map(option => option.value)];
})()"""


@pytest.mark.slow
def test_menus_keep_one_method_or_task_in_a_browser(home: Path, tmp_path: Path) -> None:
    """Of forty suites one wants those of a method; and on a phone nothing sticks out."""
    path = browser.found()
    if path is None:
        pytest.skip(f"no browser found (looked for {', '.join(browser.NAMES)})")
    other = Path("results/measured/other")
    shutil.copytree("results/tiny/tables", other)
    for file in (other / "rows.csv", other / "comparison.csv"):
        lines = file.read_text().replace(",pstl,", ",psp,").splitlines()
        kept = [line for line in lines if "knn" not in line]
        file.write_text("\n".join([*kept, ""]))
    made()
    with browser.started(path, tmp_path / "profile") as tab:
        for width in (390, 800, 1280):
            tab.open(Path("results/index.html"), width)
            assert tab.ask("document.documentElement.scrollWidth") <= width
        assert tab.ask(CHOSEN) == [[1, 3, 2], ["", "knn", "linear"]]
        assert not tab.complaints
        assert {address.partition(":")[0] for address in tab.asked} <= {"file", "data"}
