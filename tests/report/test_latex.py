import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import params, write_all

from pstl.report import bibliography, latex, paper
from pstl.report.compare import compare
from pstl.report.joined import Joined
from pstl.report.rows import from_files
from pstl.report.tables import headlines
from pstl.report.tex import escaped

HOSTILE = r"100 % of $x_1$ & {y} \write18 #1 ~ ^ <b> −3 日本"
COMPILERS = {  # in the order in which they are looked for
    "tectonic": [["tectonic", "main.tex"]],
    "pdflatex": [
        ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "main"],
        ["bibtex", "main"],
        ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "main"],
        ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "main"],
    ],
}


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Joined:
    """Invented numbers beside the published ones, under a summary of signs that LaTeX obeys."""
    monkeypatch.chdir(tmp_path)
    settings = params()
    write_all(settings)
    named = settings.suites["tiny"].model_copy(update={"summary": HOSTILE})
    settings = replace(settings, suites={"tiny": named})
    results, published = from_files(settings, "tiny"), paper.load()
    lines = compare(results.rows, published, settings.compared("tiny"))
    lines = [replace(line, std=None) if line.stream == "bone" else line for line in lines]
    return Joined(settings, "tiny", results, published, lines)


def test_what_is_written_compiles(suite: Joined, tmp_path: Path) -> None:
    """A table that stops LaTeX is worse than none: the fault is looked for in the paper."""
    latex.write_all(suite, tmp_path / "latex")
    found = [commands for name, commands in COMPILERS.items() if shutil.which(name)]
    if not found:
        pytest.skip("neither tectonic nor pdflatex is installed")
    for command in found[0]:
        done = subprocess.run(command, cwd=tmp_path / "latex", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "latex/main.pdf").read_bytes().startswith(b"%PDF")
    assert "Citation" not in done.stdout  # "... undefined"


def test_the_best_of_ours_is_bold_and_the_second_underlined(suite: Joined) -> None:
    """Set by hand this is where papers go wrong: ties, and floors that win."""
    text, _ = latex.texts(suite)
    (table,) = re.findall(r"\\begin\{table\}.*?linear, top1.*?\\end\{table\}", text, re.S)
    means = []
    for line in headlines(suite.lines):
        if (line.task, line.metric) == ("linear", "top1"):
            means.append(line.mean or 0.0)
    best, second = sorted(set(means), reverse=True)[:2]
    assert re.findall(r"\\textbf\{([\d.]+)\}", table) == [f"{best:.1f}"]
    assert re.findall(r"\\underline\{([\d.]+)\}", table) == [f"{second:.1f}"]


def test_every_key_that_is_cited_is_in_the_bibliography(suite: Joined) -> None:
    """A number whose source is a question mark in print has no source."""
    text, entries = latex.texts(suite)
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", text) for key in keys.split(",")}
    assert "github.com/KAIST-VICLab/SOfA" in cited
    assert cited <= set(re.findall(r"^@\w+\{(.+),$", entries, re.M))


def test_words_of_others_are_never_commands() -> None:
    """The summary of a stranger's suite could read files while a paper is made."""
    text = escaped(HOSTILE)
    assert re.sub(r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater)\{\}", "",
        text.replace(r"\ensuremath{-}", "")).count("\\") == len("%$_$&{}#")  # fmt: skip
    assert "write18" in text
    assert "日" not in text


def test_the_papers_of_the_project_are_in_the_bibliography() -> None:
    """Whoever uses a table of ours has to cite whose methods and data it is of."""
    sources = bibliography.Bibliography()
    references = bibliography.references(Path(__file__).parents[2] / "CITATION.cff")
    sources.add(references)
    assert len(sources.entries) == len(references)
    assert "author = {Zhou, Yujie and" in str(sources)
