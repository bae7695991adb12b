"""The page of kept tables, of which nothing but rows is left."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pstl import config
from pstl.report import kept_material, overview, page, paired_file
from pstl.report.charts import Curves
from pstl.report.interval import over_clips
from pstl.report.paired import Pair, Verdict

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "results/measured"


@pytest.fixture(scope="module")
def params() -> config.Params:
    return config.load(ROOT / "params.yaml")


def test_kept_rows_have_a_page_with_their_numbers(tmp_path: Path, params: config.Params) -> None:
    """Whoever has the repository and no recordings must see what was found as who ran it did."""
    page.build_kept(params, MEASURED / "nwucla-cpu", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "NW-UCLA cross-view at a CPU&#39;s budget" in text
    assert "wall time: 5,446 s" in text
    (pstl,) = re.findall(r'<th scope="row">pstl, joint</th>(.*?)</tr>', text)
    assert pstl.startswith('<td class="number" title="pstl, joint, linear: 50.4 %; 3 seeds; ')
    (bone,) = re.findall(r'<th scope="row">pstl, bone</th>(.*?)</tr>', text)
    assert "1 seed; 95 % interval over clips" in bone  # of the release: no scores are kept
    assert '<th scope="row">raw (floor), joint</th>' in text
    assert "Nothing is tested" in text
    assert 'id="reproduce"' not in text


def test_where_no_number_is_the_answer_a_curve_is(params: config.Params) -> None:
    """A suite of tasks in many settings had a first screen that said nothing."""
    shown = overview.overview(kept_material.of_kept(params, MEASURED / "lost-joints-cpu"))
    assert shown.matrix.heads == []
    assert overview.SWEPT in shown.words
    assert isinstance(shown.picture, Curves)
    assert len(shown.picture.curves) > 1


def test_seeds_that_agree_are_no_certainty(params: config.Params) -> None:
    """A baseline that has no seed stood as "95.7 (95.7 to 95.7)", as if nothing were surer."""
    content = kept_material.of_kept(params, MEASURED / "cmu-prediction-cpu")
    rows = {row.name: row.entries[0] for row in overview.overview(content).matrix.rows}
    assert rows["zero velocity (baseline)"].span == ""
    assert rows["simclr, joint"].span != ""
    (line, *_) = kept_material.of_kept(params, MEASURED / "nwucla-cpu").lines
    span = replace(line, metric="top1", mean=50.0, std=0.0, seeds=3).span_on(400)
    assert span == over_clips(50.0, 400)


def test_kept_paired_tests_are_found_again(params: config.Params) -> None:
    """The sentences of a kept suite are made of the tests that were kept with it."""
    shown = overview.overview(kept_material.of_kept(params, MEASURED / "nwucla-simclr-cpu"))
    first, *_ = shown.findings.sentences
    assert re.search(r"^Pre-training pays by \w+ on nwucla, xview for \d of \d", first)


def test_paired_tests_survive_their_file(tmp_path: Path) -> None:
    """A number that is read back otherwise than it was written is another test."""
    verdict = Verdict(60.0, 50.0, 10.0, 2.5, 17.25, 0.0125, "a", 400, 3, 1)
    pair = Pair("nwucla", "xview", "knn", "0.1", "", "joint", "released", "a", "b", verdict)
    (tmp_path / "paired.csv").write_text(paired_file.as_csv([pair]))
    assert paired_file.read(tmp_path / "paired.csv") == [pair]
    assert paired_file.read(tmp_path / "none.csv") == []
