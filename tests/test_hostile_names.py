"""Names that somebody writes into settings reach the shell, paths, csv files, pages and terminals:
a hostile one is refused in one line before anything runs, or harmless wherever it comes.
"""

import shlex
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import own_clips
import pytest
import yaml

from pstl.config import NAME
from pstl.config.declared import TAKEN
from pstl.data.out_folder import KEPT
from pstl.report.class_charts import Confusion
from pstl.report.drawing import to_svg
from pstl.rule_options import load_checked

TOUCH = "touch PWNED"
SHELL = [
    f"$({TOUCH})", f"`{TOUCH}`", f"; {TOUCH}", f"a;{TOUCH}", f"a && {TOUCH}", f"a || {TOUCH}",
    f"a | {TOUCH}", f"a\n{TOUCH}\n", f"'; {TOUCH}; '", f'"; {TOUCH}; "', f"a & {TOUCH}",
    f"$[{TOUCH}]", f"<({TOUCH})", f">({TOUCH})", f"\\$({TOUCH})", f"a'$({TOUCH})'", "${PATH}",
    "$PATH", "$IFS", "$@", "!!", "a!b", "~", "~root", "a b", " a", "a ", "a\tb", "*", "a?", "[ab]",
    "a[0-9]", "{a,b}", "{1..9}", "{wildcards.run}", "{input}", "{{a}}", "%s", "%(a)s", "a#b", "#",
    "a>b", ">PWNED", "a<b", "2>&1", "a=b", "a:b", "a,b", "a|b", "a&b", "a\\b", "\\", "'", '"', "`",
    "-rf", "--out", "--help", "-", "--", "+x", "a^b", "(a)", "a'b", 'a"b',
]  # fmt: skip
PATHS = [
    "..", ".", "...", "../PWNED", "../../PWNED", "/PWNED", "//PWNED", "/etc/passwd", "/dev/null",
    "/proc/self/mem", "a/../../PWNED", "a/b", "a/", "./a", "~/PWNED", "..\\PWNED", "C:\\PWNED",
    "C:", "\\\\host\\share", "file:///etc/passwd", "http://host/a", "s3://a/b", ".hidden", ".git",
    ".snakemake", "a\0b", "\0", "%2e%2e%2fPWNED", "..%00/PWNED", "a/.", "..a", "_a", "measured",
    "CON", "nul", "a.", "a..b", "aux.txt", "a.yaml", "lost+found", "__init__", "__pycache__", "",
]  # fmt: skip
FORMULAS = [
    "=1+1", "=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "-1+1", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1",
    '=HYPERLINK("http://a","b")', '"=1+1', "=", "@", "-a", "+a", "a,=1+1", 'a","=1+1', "a;=1+1",
    "a\n=1+1", "=IMPORTXML(1)", "\uff1d1+1", "@a", "-2-3", "+", "1e5", "1", "-1", "+1", "-0.5",
]  # fmt: skip
MARKUP = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</text><script>", "<!--", "-->",
    "]]>", "&lt;b&gt;", "&amp;", "&#60;script&#62;", '"><svg onload=alert(1)>', "' onload='a",
    "javascript:alert(1)", "<b>", "</style><script>a</script>", "{{ 7*7 }}", "{% raw %}", "a<b",
    "${7*7}", "[a](javascript:b)", "![a](http://b)", "| a | b |", "a|b", "# a", "$\\frac{a}$",
    "<style>*{}</style>", "<a href='x'>", "<iframe>", "<?php a ?>", "<%= 7 %>", "&", "<", ">",
]  # fmt: skip
CONTROL = [
    *(f"a{chr(number)}b" for number in range(1, 32)), "a\x7fb", "a\x85b", "a\x9bb", "\x1b[2J",
    "\x1b]0;a\x07", "a\r\nb", "\n", "\r", "\t", "\x1b[31mred", "a\u2028b", "a\u2029b",
]  # fmt: skip
TRICKS = [
    "a\u202eb", "a\u202ab", "a\u2066b", "a\u200bb", "a\ufeffb", "\ufeffa", "a\u00adb", "\u0430",
    "\uff41", "\u00e9", "e\u0301", "\u2024\u2024/a", "\uff0e\uff0e", "\u2215etc", "\u0660",
    "\u00b2", "a\u00a0b", "a\u3000b", "\U0001f600", "\U000e0041", "a\u034fb", "\ufdfa", "\u0131",
    "\ud800",
    "a\udcffb", "\ufffe", "\uffff", "a" + "\u0301" * 50, "\u200f", "\u061c", "K\u212a",
    "\u2126",
]  # fmt: skip
LONG = ["a" * 101, "a" * 255, "a" * 256, "a" * 5000, "\u00e9" * 128, "a/" * 200, "=" * 200]
OTHERS = [True, False, None, 0, 1, -1, 1.5, float("inf"), float("nan"), 10**30]
WORDS = [*SHELL, *PATHS, *FORMULAS, *MARKUP, *CONTROL, *TRICKS, *LONG]
CLASSIC = {
    "recipe": "resize50",
    "encoder": {"name": "stgcn", "width": 2},
    "train": {"epochs": 1, "batch_size": 8, "lr": 1.0e-3},
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a data set of its own, deep enough that a way out ends in tmp_path."""
    folder = tmp_path / "a" / "b" / "project"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    own_clips.write_folder(folder / "mine")
    (folder / "suites").mkdir()
    return folder


def write(place: str, name: object) -> None:
    """Settings in which one name is another."""
    method, task, data, split = (
        name if place == each else usual
        for each, usual in (
            ("method", "pstl"),
            ("task", "knn"),
            ("data set", "mine"),
            ("split", "x"),
        )
    )
    how = {"by": "performer", "train": ["anna"]}
    section = {"kind": "folder", "path": "mine", "body": "coco17", "splits": {split: how}}
    if place == "class":
        section["classes"] = ["wave", "clap", name]
    settings = {
        "suite": "s",
        "methods": {method: {"method": "pstl", **CLASSIC}},
        "tasks": {task: {"kind": "knn"}},
        "datasets": {data: section},
    }
    suite = {
        "summary": "",
        "dataset": data,
        "splits": [split],
        "experiments": [{"methods": [method], "tasks": [task]}],
    }
    Path("params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    Path("suites/s.yaml").write_text(yaml.safe_dump(suite, sort_keys=False))


def answer(capsys: pytest.CaptureFixture[str], **options: object) -> str:
    """The line that a run is refused with before its first job; empty if it is not."""
    code = 0
    try:
        load_checked(options, plugins=False)
    except SystemExit as refused:
        code = refused.code
    said = capsys.readouterr().err
    if code == 0:
        assert said == ""
        return ""
    assert code == 2
    assert said.startswith("pstl: ")
    assert said.removesuffix("\n").isprintable()
    return said


def files() -> set[str]:
    """Everything around the project."""
    top = Path.cwd().parents[2]
    return {path.relative_to(top).as_posix() for path in top.rglob("*")}


class Tags(HTMLParser):
    """The tags in a piece of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would compute a cell; a number is one whatever its sign."""
    try:
        float(cell)
    except ValueError:
        return cell[:1] in ("=", "+", "-", "@", "\t", "\r")
    return False


@pytest.mark.parametrize("place", ["method", "task", "data set", "split"])
def test_a_hostile_name_in_settings_is_refused_or_harmless(place: str, capsys) -> None:
    """A method called `$(touch PWNED)` was executed, and one called `=1+1` a formula."""
    write(place, "fine")
    before = files()
    assert answer(capsys) == ""
    for name in [*WORDS, *OTHERS]:
        write(place, name)
        if answer(capsys):
            continue
        assert isinstance(name, str)
        assert NAME.fullmatch(name)
        assert shlex.quote(name) == name
        assert not is_formula(name)
    assert files() == before


def test_a_suite_of_a_hostile_name_is_refused(capsys) -> None:
    """A suite called `..` wrote its tables outside the folder of results."""
    write("", "")
    before = files()
    for name in WORDS:
        said = answer(capsys, suite=name)
        assert said or name == ""  # the settings' own
        file = Path("suites", f"{name}.yaml")
        if "/" in name or "\0" in name or len(name.encode("utf-8", "surrogatepass")) > 250:
            continue  # what no file can be called
        if (
            "\ud800" in name
            or file.name[:1] == "."
            or (NAME.fullmatch(name) and name != "measured")
        ):
            continue  # no suite; a name as any
        file.write_text("summary: ''\n")
        assert answer(capsys), name
        file.unlink()
    assert files() == before


def test_a_hostile_class_is_refused_or_harmless(capsys) -> None:
    """Classes of a table of labels are anybody's words: they stand in csv files and on the page."""
    write("class", "fine")
    before = files()
    assert answer(capsys) == ""
    shown = []
    for name in WORDS:
        write("class", name)
        if answer(capsys):
            continue
        assert not is_formula(name)
        shown.append(name)
    assert len(shown) > 20
    assert files() == before
    tags = Tags()
    tags.feed(to_svg(Confusion("", "", np.eye(len(shown)), shown), "a"))
    assert tags.tags
    assert not {"script", "img", "iframe", "a", "b"} & set(tags.tags)


def test_no_data_set_takes_the_folder_of_archives(capsys) -> None:
    """Its recordings would replace everybody's archives, of all data sets."""
    assert KEPT in TAKEN
    for name in (KEPT, KEPT.upper()):
        write("data set", name)
        assert "is the folder of archives" in answer(capsys)
