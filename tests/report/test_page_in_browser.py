"""The page in a real browser: three widths, a console, paper, and what the script does."""

import re
from pathlib import Path

import browser
import pytest
from pages import built, results

from pstl.report import document, page
from pstl.report.document import Table


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_browser_shows_it_without_complaint(tmp_path: Path) -> None:
    """What strict readers of markup forgive, readers see.

    Errors in the console, letters cut off, a page wider than a phone, a request.
    """
    path = browser.found()
    if path is None:
        pytest.skip(f"no browser found (looked for {', '.join(browser.NAMES)})")
    built(results())
    with browser.started(path, tmp_path / "profile") as tab:
        for width in (1280, 768, 390):
            tab.open(Path("index.html"), width)
            tab.ask("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
            assert tab.ask("document.documentElement.scrollWidth") <= width
            assert tab.ask(CUT_OFF) == []
        assert tab.ask(BUTTON) == ["Stop the animations", False, "Start the animations"]
        tab.open(Path("index.html"), 1280, 800)
        assert tab.ask(BELOW) <= 800
        paper = tab.printed()
        assert paper.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) <= 8
        assert tab.asked
        assert {address.partition(":")[0] for address in tab.asked} <= {"file", "data"}
        assert tab.complaints == []


@pytest.mark.slow
def test_tables_sort_filter_and_copy_in_a_browser(tmp_path: Path) -> None:
    """A table of a hundred rows that cannot be sorted is read by nobody."""
    path = browser.found()
    if path is None:
        pytest.skip(f"no browser found (looked for {', '.join(browser.NAMES)})")
    rows = [["a_b", "not run"], ["c|d", document.number("9.5")], ["=e", document.number("1,000.5")],
            ["f", document.number("-3")], ["g", "-"], ["h, i", "−4"]]  # fmt: skip
    table = Table("numbers", ["name", "value, %"], rows)
    shown = page.Cost("t", "t", "cost.html", [], table, Table("none", ["name"], []))
    Path("table.html").write_text(document.page("t", [shown]))
    with browser.started(path, tmp_path / "profile") as tab:
        tab.open(Path("table.html"), 390)
        assert tab.ask(SORTED) == [
            ["descending", ["=e", "c|d", "f", "h, i", "a_b", "g"]],
            ["ascending", ["h, i", "f", "c|d", "=e", "a_b", "g"]],
        ]
        latex, markdown, csv, kept = tab.ask(COPIED)
        assert latex.splitlines()[:3] == [
            "\\begin{tabular}{lr}",
            "\\toprule",
            "name & value, \\% \\\\",
        ]
        assert "h, i & $-$4 \\\\" in latex
        assert "a\\_b & not run \\\\" in latex
        assert "| c\\|d | 9.5 |" in markdown
        assert csv.splitlines()[1] == '"h, i",−4'
        assert "'=e" in csv
        assert kept == ["c|d"]
        assert tab.complaints == []


# Twice a click on the head of the second column: what the browser says of it, and the names.
SORTED = """[1, 2].map(() => {
  const head = document.querySelectorAll("table.data thead th")[1];
  head.querySelector("button").click();
  const rows = [...document.querySelectorAll("table.data tbody tr")];
  const names = rows.map(row => row.cells[0].textContent);
  return [head.getAttribute("aria-sort"), names];
})"""
# What each button copies, and the names that are left when "9.5" is typed.
COPIED = """(async () => {
  const copied = [];
  Object.defineProperty(navigator, "clipboard", { value: {
    writeText: text => { copied.push(text); return Promise.resolve(); } } });
  document.querySelectorAll(".tools button").forEach(button => button.click());
  const input = document.querySelector(".tools input");
  input.value = "9.5";
  input.dispatchEvent(new Event("input"));
  const rows = [...document.querySelectorAll("table.data tbody tr")].filter(row => !row.hidden);
  return [...copied, rows.map(row => row.cells[0].textContent)];
})()"""
# Where the first screen ends.
BELOW = """document.querySelector("main > section .screen").getBoundingClientRect().bottom"""
# Names of texts that begin or end outside their drawing.
CUT_OFF = """
[...document.querySelectorAll("svg[role=img]:not(.moving):not(.still)")].flatMap(drawing => {
  const frame = drawing.getBoundingClientRect();
  const outside = text => {
    const box = text.getBoundingClientRect();
    return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1);
  };
  return [...drawing.querySelectorAll("text")].filter(outside).map(text => text.textContent);
})"""
BUTTON = """(() => {
  const button = document.getElementById("motion");
  const before = button.textContent, hidden = button.hidden;
  button.click();
  return [before, hidden, button.textContent];
})()"""
