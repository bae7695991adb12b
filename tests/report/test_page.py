import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from fabricated import FLOOR, GRID, params, write_all, write_cell, write_no_sense
from pages import LIMITS, built, results

from pstl import paths
from pstl.report import document, embedding, headline_panels, interval, page, paper, poses
from pstl.report import simulated_clips as clips
from pstl.report.charts import Curve, Curves
from pstl.report.class_charts import Span, Timeline
from pstl.report.compare import compare
from pstl.report.document import Table
from pstl.report.rows import from_files
from pstl.skeletons import load as load_skeleton


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Outline(HTMLParser):
    """Tags that are open at the end, pictures without words, and whatever a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.silent: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "link"):
            self.open.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag in ("svg", "img") and not (given.get("aria-label") or given.get("alt")):
            self.silent.append(self.get_starttag_text() or tag)
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif found := given.get("src") or given.get("href"):
            self.fetched.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    """It is mailed and opened on a train.

    Everything is inside, every picture has words, every link of the menu leads somewhere.
    """
    outline = Outline(built(results()))
    assert not outline.open
    assert not outline.silent
    assert outline.fetched == ["data:,"]
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)


def test_a_screen_reader_finds_its_way() -> None:
    """It reads headings one below the other, and says of a cell which row and column it is of."""
    text = built(results())
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert text.count("<table") == text.count("<caption>")
    assert re.findall(r"<th(?! scope=)[ >]", text) == []
    assert '<html lang="en">' in text


def test_a_split_has_one_section_whatever_stands_between_its_experiments() -> None:
    """Two sections of one name hide half of the numbers from whoever follows the menu."""
    settings = params({**GRID, **LIMITS}, FLOOR, {**FLOOR, **LIMITS})
    write_all(settings)
    ids = Outline(built(settings)).ids
    assert {"results-nwucla-xview", "results-ntu60-xsub"} <= set(ids)
    assert len(set(ids)) == len(ids)


def test_numbers_on_the_page_are_those_of_the_tables() -> None:
    """A page that rounds, joins or averages on its own would be a second truth."""
    settings = results()
    for cell in settings.cells("tiny"):
        if cell.run.method == "pstl" and not cell.fused and cell.task == "linear":
            write_cell(
                cell, {"top1": (60.0, 62.0, 67.0)[cell.run.seed], "top5": 90.0, "top1_best": 70.0}
            )
    found = built(settings)
    assert (
        '<th scope="row">pstl</th><td>joint</td>'
        + "".join(
            f'<td class="number">{value}</td>'
            for value in ("63.0", "3.6", "3", "53.7 to 71.4 (seeds)")
        )
        in found
    )


def test_the_page_says_what_is_subtracted_from_what() -> None:
    """-14.3 against a number chosen on the test clips with other batch norms is not what a reader
    takes it for.
    """
    settings = params(
        {**GRID, "streams": ["joint"], "seeds": [0, 1, 2], "tasks": ["linear"], "fuse": None}
    )
    for cell in settings.cells("tiny"):
        shift = 0.0 if cell.batch_norm == "recalibrated" else 9.0
        write_cell(
            cell, {"top1": (60.0, 62.0, 67.0)[cell.run.seed] - shift, "top1_best": 70.0 - shift}
        )
    found = built(settings)
    heads = ("published", "epoch", "ours − published", "like for like", "source")
    plain = re.sub(r"<abbr[^>]*>|</abbr>", "", found)
    assert "".join(f'<th scope="col">{head}</th>' for head in heads) in plain
    differences = '<td class="number">-14.3</td><td class="number">-16.3</td>'
    assert f'<td class="number">77.3</td><td>best epoch</td>{differences}<td>[1]</td>' in found
    assert '<th scope="row">[1]</th><td><a href="https://github.com/KAIST-VICLab/SOfA">' in found
    assert (
        "like for like: ours of the kind theirs is, minus theirs: batch norm as released" in found
    )


def test_a_guess_is_marked_on_the_page_and_draws_no_mark() -> None:
    """The stream of Hi-TRS's 90.0 is not stated where it was printed.

    A black mark in a chart would make it a target.
    """
    settings = params({**GRID, "methods": ["pstl"], "seeds": [0], "tasks": ["linear"]})
    write_all(settings)
    found = built(settings)
    differences = '<td class="number">-</td><td class="number">-</td>'
    assert f'<td class="number">79.1 ?</td><td>best epoch</td>{differences}' in found
    assert "not stated for both numbers: weights; so nothing is subtracted" in found
    lines = compare(from_files(settings, "tiny").rows, paper.load())
    fused = [line for line in lines if line.stream == "fused"]
    (chart,) = headline_panels.accuracy(fused, {}, {})
    beside = [kind for mark in chart.marks for kind, _ in mark.beside]
    assert "published" not in beside


def test_what_was_not_run_is_on_the_page() -> None:
    """An absent row reads like a method that was never meant to be there."""
    found = built(params({**GRID, **LIMITS}))
    assert "<em>not run</em>" in found
    assert "0 of 42 evaluated" in found


def test_what_makes_no_sense_is_on_the_page_with_its_reason() -> None:
    """The page is read without the files beside it.

    The reason has to stand where the number would.
    """
    settings = params({**FLOOR, "dataset": "synthetic"})
    for cell in settings.cells("tiny"):
        write_no_sense(cell, "an encoder <without> weights")
    found = built(settings)
    assert "<em>n/a: an encoder &lt;without&gt; weights</em>" in found
    assert "<em>not run</em>" not in found


def test_the_same_results_give_the_same_bytes() -> None:
    """Otherwise every look at the results would be a change for DVC and Snakemake."""
    settings = results()
    assert built(settings, "a.html") == built(settings, "b.html")


def test_every_cell_has_its_command() -> None:
    """A number nobody can make again is an anecdote."""
    settings = results()
    found = built(settings)
    for cell in settings.cells("tiny"):
        assert f"--config suite=tiny -- {paths.metrics(cell)}" in found


ATTACK = "<script>alert(1)</script>"
QUOTED = '"onload="alert(1)'


def test_text_from_files_cannot_become_markup() -> None:
    """Names come from files that others wrote; a bracket in one must not break the page, or run."""
    table = Table(
        ATTACK, [ATTACK, QUOTED], [[ATTACK, document.Text(ATTACK, kind)] for kind in KINDS]
    )
    shown = page.Cost(QUOTED, ATTACK, "cost.html", [], table, table)
    text = document.page(ATTACK, [shown])
    assert text.count("<script") == 1  # the page's own
    assert QUOTED not in text
    assert text.count("&lt;script&gt;") > 10


KINDS = ("number", "missing", "code", "source")


def test_the_summary_of_a_suite_cannot_become_markup() -> None:
    """It is a sentence of params.yaml, where "<" and "&" mean themselves."""
    settings = results()
    suite = settings.suites["tiny"].model_copy(update={"summary": f"a & b {ATTACK}"})
    text = built(replace(settings, suites={"tiny": suite}))
    assert "<p>A &amp; b &lt;script&gt;alert(1)&lt;/script&gt;: " in text
    assert text.count("<script") == 1


def test_names_in_charts_cannot_become_markup() -> None:
    """A method's name reaches axes, legends and the words for those who cannot see a chart."""
    curves = Curves(ATTACK, QUOTED, [Curve(ATTACK, [1, 2], [3, 4])], ATTACK, ATTACK)
    timeline = Timeline(ATTACK, QUOTED, [(ATTACK, [Span(0, 9, 0)])], 10, [QUOTED])
    shown = page.Training("t", "t", "training.html", [curves, curves], [timeline])
    text = document.page("t", [shown])
    outline = Outline(text)
    assert not outline.open
    assert text.count("<script") == 1
    assert "onload=" not in "".join(re.findall(r"<[a-z]+ [^>]*>", text.replace("&quot;onload", "")))


def test_only_the_page_s_own_script_and_style_may_run() -> None:
    """Names on the page are anybody's: if one slips through as markup, the browser refuses it."""
    text = document.page("t", [])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    for tag, rule in (("script", "script-src"), ("style", "style-src-elem")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = hashlib.sha256(content.encode()).digest()
        assert rules[rule] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules["default-src"] == "'none'"


def test_a_column_that_is_empty_everywhere_is_not_shown() -> None:
    """Empty columns push the numbers off a phone's screen."""
    rows = [["a", "", "1", "-"], ["b", "", "-", "-"]]
    shown = Table("t", ["name", "empty", "value", "std"], rows).filled
    assert (list(shown.header), shown.rows) == (["name", "value"], [["a", "1"], ["b", "-"]])
    assert Table("t", ["name", "std"], []).filled.header == ["name", "std"]


def test_ids_of_equal_charts_differ() -> None:
    """With one id twice the second chart takes its clip and its markers from the first."""
    curves = Curves("t", "t", [Curve("a", [1, 2], [3, 4])], "x", "y")
    text = document.page("t", [page.Training("t", "t", "training.html", [curves] * 3, [])])
    outline = Outline(text)
    assert len(outline.ids) == len(set(outline.ids))
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', text))
    assert len(used) >= 6
    assert used <= set(outline.ids)


def test_every_colour_has_one_for_the_dark() -> None:
    """A name without a value is drawn black: invisible on a dark screen."""
    text = built(results())
    light, dark = re.findall(r":root \{([^}]*)\}", text)
    named = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert named <= set(re.findall(r"(--[\w-]+):", light))
    assert {"--ink", "--line", "--paper"} <= set(re.findall(r"(--[\w-]+):", dark))
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert not [
        found for svg in drawings for found in re.findall(r"(?:fill|stroke): #(?!fff)\w+", svg)
    ]


def test_rows_that_differ_in_one_number_become_a_curve_and_timelines_are_drawn() -> None:
    """Robustness, horizons and thresholds are read as curves; detections only beside the truth."""
    settings = params(
        {**GRID, **LIMITS, "streams": ["joint"], "seeds": [0], "tasks": ["linear"], "fuse": None}
    )
    for cell in settings.cells("tiny"):
        path = write_cell(cell, {"top1": 50.0})
        content = json.loads(path.read_text())
        content["rows"] = [
            {
                **content["rows"][0],
                "setting": f"probe=knn;in=test;by=zeros;joints={n}",
                "value": 60.0 - n,
            }
            for n in (1, 3, 8)
        ]
        content["timelines"] = [
            {
                "name": "s01",
                "frames": 100,
                "classes": ["walk", "sit"],
                "truth": [[0, 40, 0]],
                "found": [[2, 38, 0, 0.9], [50, 60, 1, 0.2]],
            }
        ]
        path.write_text(json.dumps(content))
    found = built(settings)
    assert (
        "linear: top1, joint, probe=knn, in=test, by=zeros against joints lost: "
        "pstl from 59.0 to 52.0" in found
    )
    assert "1 true intervals; pstl finds 2" in found


def test_a_predicted_motion_lies_over_the_true_one() -> None:
    """The picture must show what was seen first, then truth and prediction together.

    Exchanged, the worse method looks better.
    """
    pose = np.random.default_rng(0).normal(0, 400, (25, 3)).round().astype(int)
    seen, future, found = (
        [(pose + shift).tolist() for shift in shifts]
        for shifts in ((0, 10, 20), (30, 40), (300, 400))
    )
    entry = {
        "name": "w",
        "skeleton": "kinect_v2",
        "mpjpe": 12.3,
        "seen": seen,
        "future": future,
        "found": found,
    }
    layers = {layer.tone: layer.paths for layer in poses.prediction(entry, "pstl", "linear").layers}
    assert list(layers) == ["truth", "left", "right"]
    truth, before, after = layers.values()
    assert before[:3] == truth[:3]
    assert before[3:] == [poses.NOTHING] * 2
    assert after[:3] == [poses.NOTHING] * 3
    assert len({*truth, *after[3:]}) == 7
    settings = params(
        {**GRID, **LIMITS, "streams": ["joint"], "seeds": [0], "tasks": ["linear"], "fuse": None}
    )
    for cell in settings.cells("tiny"):
        file = write_cell(cell, {"top1": 50.0})
        file.write_text(json.dumps({**json.loads(file.read_text()), "motions": [entry]}))
    assert "pstl (linear), w: mean error 12 mm" in built(settings)


def test_no_real_recording_is_drawn() -> None:
    """The terms of the data sets forbid to pass coordinates on.

    All that moves on the page is simulated.
    """
    labels = re.findall(r'<svg class="moving"[^>]*aria-label="([^"]*)"', built(results()))
    assert labels
    assert all(label.startswith("Simulated skeleton") for label in labels)


def test_matm_is_shown_as_it_is_used() -> None:
    """The picture must hide the frames the method hides.

    The fastest first, in all twice the setting.
    """
    xyz = np.cumsum(np.random.default_rng(0).normal(0, 0.01, (50, 25, 1, 3)), 0).astype(np.float32)
    xyz[20:23] += np.arange(3)[:, None, None, None]  # three leaps: 20 to 21, 21 to 22, 22 to 23
    dropped = clips.fast_frames(xyz, 10, torch.Generator().manual_seed(0))
    assert dropped.sum() == 20
    assert dropped[20:23].all()


def test_hidden_joints_lose_their_bones_colour() -> None:
    """The masks' polarity: True is hidden.

    Drawn the other way round the picture would teach the opposite.
    """
    skeleton = load_skeleton("kinect_v2")
    hidden = np.zeros(skeleton.joints, bool)
    hidden[skeleton.centre] = True
    clip = poses.Clip(clips.simulated(0, 4), hidden, np.zeros(4, bool))
    layers = {layer.tone: layer.paths for layer in poses.moving("", clip, skeleton, "x").layers}
    assert layers["hidden"][0].count("M") == skeleton.degree[skeleton.centre]


def test_intervals_are_the_textbook_ones() -> None:
    """Too narrow an interval makes noise a result: three seeds have t = 4.30, not 1.96."""
    low, high, over = interval.over_seeds(63.0, 3.0, 3, percent=False)
    assert (round((high - low) / 2, 2), over) == (round(4.303 * 3 / 3**0.5, 2), "seeds")
    assert interval.over_clips(100.0, 50).low < 95
    assert interval.over_clips(100.0, 50).high == pytest.approx(100)


@pytest.mark.parametrize("mean", [0.0, 0.01, 15.3, 51.7, 99.99, 100.0])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_no_interval_of_a_percentage_leaves_0_to_100(mean: float, seeds: int) -> None:
    """ "51.7 [-54.2, 157.5]" tells a reader that nobody looked."""
    # No values between 0 and 100 spread more about their mean than those at both ends.
    most = (mean * (100 - mean) * seeds / (seeds - 1)) ** 0.5
    for std in (0.0, 0.01 * most, most):
        low, high, _ = interval.over_seeds(mean, std, seeds)
        assert 0 <= low <= mean + 1e-9
        assert mean - 1e-9 <= high <= 100


@pytest.mark.parametrize("shape", [(60, 200), (60, 12)])
def test_few_clips_are_drawn_by_their_principal_components(shape: tuple[int, int]) -> None:
    """Of more features than clips, too, where the smaller product of the two is decomposed."""
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    plane, made = embedding.to_plane(features)
    assert made == "principal components"
    x = features.astype(np.float64)
    x = (x - x.mean(0)) / x.std(0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(np.abs(plane), np.abs(u[:, :2] * s[:2]), rtol=1e-5)


def test_a_map_keeps_groups_apart() -> None:
    """Two well separated groups of features must be two groups on paper, whatever the scale of
    single features.
    """
    rng, group = np.random.default_rng(0), np.arange(120) % 2
    features = (rng.normal(size=(120, 8)) + 8 * group[:, None]) * 10.0 ** np.arange(8)
    plane, made = embedding.to_plane(features.astype(np.float32))
    centres = np.stack([plane[group == g].mean(0) for g in (0, 1)])
    nearest = ((plane[:, None] - centres) ** 2).sum(-1).argmin(1)
    assert made == "t-SNE"
    assert (nearest == group).all()
