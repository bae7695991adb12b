"""A paper's page: theirs beside ours, or what would make it."""

import re
from pathlib import Path

import pytest
from report.fabricated import GRID, params, write_all

from pstl import config
from pstl.bench_figures import read_figures
from pstl.config import Params
from pstl.report import kept, paper, paper_pages
from pstl.report.build import build

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "results/measured/bench/cpu.json"


def pages_of(settings: Params, out: Path) -> dict[str, str]:
    """The pages beside all tables below results/, by name."""
    tables = [kept.read(folder) for folder in kept.folders([Path("results")])]
    figures = [row for row in read_figures(BENCH) if row.get("method", "pstl") == "pstl"]
    pages = paper_pages.write_all(settings, tables, figures, out)
    return {page.stem: page.read_text("utf-8") for page in pages}


@pytest.fixture
def run_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Settings of an invented suite that has been run and reported."""
    monkeypatch.chdir(tmp_path)
    settings = params({**GRID, "batch_norm": ["released"]})
    write_all(settings)
    build(settings, "tiny", "results/tiny/tables")
    return settings


def test_kept_pages_are_those_of_the_kept_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that lags behind suites, published numbers or results misleads whoever plans a run."""
    monkeypatch.chdir(ROOT)
    settings = config.load(Path("params.yaml"))
    tables = [kept.read(folder) for folder in kept.folders([Path(kept.KEPT)])]
    monkeypatch.setattr(paper_pages, "write_text", lambda path, text: written.update({path: text}))
    written: dict[Path, str] = {}
    paper_pages.write_all(settings, tables, read_figures(BENCH), Path("results/papers"))
    kept_pages = {path: path.read_text("utf-8") for path in Path("results/papers").glob("*.md")}
    stale = [path.name for path in written if kept_pages.get(path) != written[path]]
    assert not stale, "run 'make docs'"
    assert kept_pages.keys() == written.keys()


def test_ours_stands_beside_theirs_with_interval_and_difference(run_suite: Params) -> None:
    """That is what reproducing a table means: both numbers, how sure, and how far apart."""
    page = pages_of(run_suite, Path("pages"))["pstl"]
    row = next(line for line in page.splitlines() if line.startswith("| ntu60, xsub | joint |"))
    values = [cell.strip() for cell in row.strip("|").split("|")]
    line = next(
        line
        for line in kept.read(Path("results/tiny/tables")).lines(run_suite, paper.load())
        if (line.stream, line.metric, line.task) == ("joint", "top1", "linear")
    )
    assert line.span is not None
    assert line.like_minus_published is not None
    assert values[3].startswith("77.3, best epoch")
    assert values[4].startswith(f"{line.mean:.1f} ± ")
    assert f"[{line.span.low:.1f}, {line.span.high:.1f}] (3)" in values[4]
    assert values[5] == f"{line.like_minus_published:+.1f}"
    assert values[6] == "[tiny](../results/tiny/tables/comparison.md)"


def test_a_missing_number_has_its_command_its_data_and_its_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants the cell must be able to type what makes it, and to know what it takes."""
    monkeypatch.chdir(tmp_path)
    page = pages_of(params({**GRID, "batch_norm": ["released"]}), Path("pages"))["pstl"]
    assert "| 77.3, best epoch [^1] | not run | - | `tiny` |" in page
    assert "snakemake --cores all --config suite=tiny archives=FOLDER -- TARGET" in page
    assert "results/tiny/runs/ntu60/xsub/pstl/joint/s0/released/linear.json" in page
    assert re.search(r"Bill on one cpu, 1 thread: this paper's cells [\d,.]+ hours", page)
    assert "- `ntu60`: Shahroudy, Liu, Ng and Wang" in page
    assert "methods: [pstl], streams: all, fuse: {}, tasks: [finetune]}" in page  # nobody asks


def test_what_nobody_has_seen_printed_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered number that is shown once is quoted for ever."""
    monkeypatch.chdir(tmp_path)
    page = pages_of(params(), Path("pages"))["pstl"]
    _, remembered = page.split("## Remembered, not seen")
    assert "| linear | ntu120, xsub | fused |" in remembered.split("##")[0]
    assert "69.2" not in re.sub(r"\[\^\d+\]: .*", "", page)
