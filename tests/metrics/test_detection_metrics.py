"""Detection metrics: the protocol of PKU-MMD to the last bit, quirk by quirk, and the usual one
beside it.
"""

import json

import numpy as np
import pytest

from pstl import cli
from pstl.data.formats import interval_txt
from pstl.errors import UserError
from pstl.hub.score_detections import score_detections
from pstl.metrics.detection import (
    ActionInterval,
    greedy,
    greedy_ap,
    overlap,
    pkummd,
    pkummd_ap,
    pkummd_f1,
)


def spans(*rows, video="v", label=1):
    """(start, end, confidence) as intervals."""
    return [ActionInterval(video, label, *row) for row in rows]


ONE, TWO = spans((0, 10)), spans((0, 10), (20, 30))


@pytest.fixture(scope="module")
def released(shared):
    """Ground truth, proposals and what the released script makes of them."""
    content = json.loads((shared / "parity" / "pkummd_detection.json").read_text())
    sides = [
        [ActionInterval(video, *row) for video, rows in content[side].items() for row in rows]
        for side in ("ground_truth", "proposals")
    ]
    return *sides, sorted(content["ground_truth"]), content["expected"]


def test_parity_with_the_released_script(released):
    """Published tables come from that script: a different last digit would be a different
    protocol.
    """
    truth, proposals, videos, expected = released
    assert expected
    for theirs in expected:
        assert pkummd(truth, proposals, theirs["theta"], videos) == {
            k: v for k, v in theirs.items() if k != "theta"
        }


@pytest.mark.parametrize(
    ("truth", "proposals", "theirs", "usual"),
    [
        (
            ONE,
            spans((0, 10, 0.9), (50, 60, 0.1)),
            0.5,
            1.0,
        ),  # precision is read after the hit has gone
        (TWO, spans((0, 10, 0.9), (50, 60, 0.85), (20, 30, 0.8)), 2 / 3, 5 / 6),
        (TWO, spans((0, 10, 0.9), (20, 30, 0.8), (50, 60, 0.1)), 1.0, 1.0),
        (
            ONE,
            spans((0, 10, 0.9), (0, 9, 0.85)),
            1.0,
            1.0,
        ),  # a duplicate lets precision be read once more
        (TWO, spans((0, 10, 0.9), (20, 30, 0.8), (0, 9, 0.1)), 1.0, 1.0),
        (TWO, spans((0, 10, 0.9), (0, 9, 0.85), (20, 30, 0.8)), 5 / 6, 5 / 6),
        (ONE, [], 0.0, 0.0),
        ([], spans((0, 10, 0.9)), 0.0, 0.0),
        (ONE, spans((0, 10, 0.9), label=2), 0.0, 0.0),
        (ONE, spans((0, 10, 0.9), video="w"), 0.0, 0.0),
    ],
)
def test_quirks_of_the_average_precision(truth, proposals, theirs, usual):
    """The script's number is not what people think they read: both must be known to be what they
    are called.
    """
    assert pkummd_ap(truth, proposals, 0.5) == pytest.approx(theirs, abs=1e-12)
    assert greedy_ap(truth, proposals, 0.5) == pytest.approx(usual, abs=1e-12)


def test_a_duplicate_is_a_false_positive_only_with_one_to_one_matching():
    """The script forgives a second box on one action; who compares methods that repeat themselves
    must see the difference.
    """
    proposals = spans((0, 10, 0.5), (0, 9, 0.9), (0, 8, 0.8))
    assert greedy_ap(TWO, proposals, 0.5) == 0.5
    assert pkummd_f1(TWO, proposals, 0.5) == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))


def test_nothing_found_scores_nothing():
    """The script divides by zero here."""
    assert pkummd_f1(ONE, [], 0.5) == pkummd_f1(ONE, spans((50, 60, 1.0)), 0.5) == 0
    assert overlap(*spans((5, 5), (5, 5))) == 1
    assert overlap(*spans((0, 10), (20, 30))) < 0


def test_classes_and_videos_are_averaged_as_stated():
    """PKU-MMD divides by all 51 classes, absent ones included; the usual mean is over classes that
    occur.
    """
    truth = [*spans((0, 10), video="a"), *spans((0, 10), video="b", label=2)]
    proposals = spans((0, 10, 0.9), video="a")
    theirs, usual = (
        pkummd(truth, proposals, 0.5, ["a", "b", "c"]),
        greedy(truth, proposals, 0.5, ["a", "b", "c"]),
    )
    # A single true positive is never evaluated at a precision of its own but at the one with all
    # proposals, which is 1 here.
    assert theirs["map_action"] == pytest.approx(1 / 51)
    assert theirs["map_video"] == pytest.approx(1 / 3)
    assert (usual["map_action"], usual["map_video"]) == (0.5, 0.5)


def test_greedy_agrees_with_an_independent_computation():
    """Formula test: matching written as loops over ranks, precision envelope from the
    definition.
    """
    rng = np.random.default_rng(0)
    start = rng.integers(0, 300, 40)
    truth = [
        ActionInterval(f"v{i % 3}", 1 + i % 4, float(s), float(s + 30)) for i, s in enumerate(start)
    ]
    shift = rng.integers(-20, 20, 80)
    proposals = [
        ActionInterval(t.video, t.label, t.start + d, t.end + d, float(c))
        for t, d, c in zip(truth * 2, shift, rng.permutation(80) / 80, strict=True)
    ]
    free, hits = set(range(40)), []
    for p in sorted(proposals, key=lambda p: p.confidence, reverse=True):
        best = max(
            (i for i in free if (truth[i].video, truth[i].label) == (p.video, p.label)),
            key=lambda i: overlap(p, truth[i]),
            default=-1,
        )
        hit = best >= 0 and overlap(p, truth[best]) >= 0.5
        free -= {best} if hit else set()
        hits.append(hit)
    hits = np.array(hits)
    precision, recall = hits.cumsum() / np.arange(1, 81), hits.cumsum() / 40
    area = sum(max(precision[recall >= r]) / 40 for r in recall[hits])
    assert 0.2 < area < 0.95
    assert greedy_ap(truth, proposals, 0.5) == pytest.approx(area)


def write(folder, videos):
    folder.mkdir()
    for name, text in videos.items():
        (folder / name).write_text(text)
    return folder


def test_the_verb_gives_the_released_numbers(released, tmp_path, capsys):
    """What a user with two folders gets is what the library computes, file reading included."""
    truth, proposals, videos, expected = released
    folders = []
    for name, side in (("truth", truth), ("proposals", proposals)):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        for video in videos:
            interval_txt.write(folders[-1] / f"{video}.txt", [i for i in side if i.video == video])
    for theirs in expected:
        cli.main(
            [
                "score-detections",
                *map(str, folders),
                "--dataset",
                "pkummd1",
                "--theta",
                str(theirs["theta"]),
                "--json",
            ]
        )
        ours = json.loads(capsys.readouterr().out)
        assert {key: ours[key] for key in theirs} == theirs
        assert ours["videos_without_proposals"] == []
        assert ours["proposals_of_equal_confidence"] == 0
    cli.main(["score-detections", *map(str, folders), "--classes", "51"])
    assert "PKU-MMD  map_action 0.5659\n" in capsys.readouterr().out


def test_a_video_without_proposals_counts_and_is_named(tmp_path, capsys):
    """The script leaves such videos out, ground truth and all: a method could raise its score by
    writing fewer files.
    """
    truth = write(tmp_path / "t", {"a.txt": "1,0,10,2\n", "b.txt": "1 0 10 2\r\n\r\n"})
    found = write(tmp_path / "p", {"a.txt": "1,0,10,0.9\n"})
    cli.main(
        [
            "score-detections",
            str(truth),
            str(found),
            "--classes",
            "51",
            "--json",
            str(tmp_path / "out.json"),
        ]
    )
    assert "1 of 2 videos have no proposal file and count as empty: b" in capsys.readouterr().err
    scores = json.loads((tmp_path / "out.json").read_text())
    assert scores["videos_without_proposals"] == ["b"]
    assert (scores["ap"], scores["map_video"], scores["greedy"]["ap"]) == (0.5, 0.5, 0.5)
    (found / "b.txt").write_text("")
    assert {**score_detections(truth, found, 0.5, 51), "videos_without_proposals": ["b"]} == scores


def test_the_number_of_classes_is_asked_for(tmp_path, capsys):
    """A mean over 51 classes gives a perfect detector of two 0.04; who scores says what the labels
    are.
    """
    truth = write(tmp_path / "t", {"a.txt": "1,0,10,1\n2,20,30,1\n"})
    for options, message in (
        ((), "--dataset, known: cmu (5), "),
        (("--classes", "0"), "expected 1 or more"),
        (("--dataset", "utkinect", "--classes", "51"), "utkinect has 10"),
        (("--dataset", "pku"), "unknown dataset 'pku'; known: "),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(["score-detections", str(truth), str(truth), *options])
        assert stop.value.code == 2
        said = capsys.readouterr()
        assert message in said.err
        assert (said.out, said.err.count("\n")) == ("", 1)
    for options, expected in ((("--classes", "2"), 1.0), (("--dataset", "utkinect"), 0.2)):
        cli.main(["score-detections", str(truth), str(truth), *options, "--json"])
        assert json.loads(capsys.readouterr().out)["map_action"] == expected


def test_equal_confidences_are_said(tmp_path, capsys):
    """PKU-MMD's number then hangs on the names of files: who prints it must know."""
    truth = write(tmp_path / "t", {"a.txt": "1,0,10,2\n", "b.txt": "1,0,10,2\n"})
    found = write(tmp_path / "p", {"a.txt": "1,0,10,1\n", "b.txt": "1,0,10,1\n1,20,30,0.5\n"})
    cli.main(["score-detections", str(truth), str(found), "--classes", "1"])
    assert "2 of 3 proposals share their confidence with another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,0,10\n", r"a\.txt, line 1: 3 values, expected label,start,end,confidence"),
        ("\n1,0,ten,0.5\n", r"line 2: 1,0,ten,0.5: expected four numbers"),
        ("1.5,0,10,0.5\n", "label 1.5, expected a whole number"),
        ("nan,0,10,0.5\n", "label nan, expected a whole number"),
        ("1,10,0,0.5\n", "expected finite numbers and start <= end"),
        ("1,0,inf,0.5\n", "expected finite numbers"),
        ("1,0,10,nan\n", "expected finite numbers"),
        ("52,0,10,0.5\n", "label 52, expected 1 to 51; pass --classes"),
        ("é", "not a text of numbers"),
    ],
)
def test_what_is_no_proposal_is_refused_by_name(tmp_path, text, message):
    """A shifted column would score as a bad method, not as a bad file."""
    truth = write(tmp_path / "t", {"a.txt": "1,0,10,2\n"})
    with pytest.raises(UserError, match=message):
        score_detections(truth, write(tmp_path / "p", {"a.txt": text}), 0.5, 51)


def test_folders_that_do_not_belong_together_are_refused(tmp_path):
    """Proposals for other videos would be dropped in silence."""
    truth, other = (
        write(tmp_path / "t", {"a.txt": "1,0,10,2\n"}),
        write(tmp_path / "o", {"c.txt": "1,0,10,2\n"}),
    )
    with pytest.raises(UserError, match=r"have no ground truth in .*, e.g. c"):
        score_detections(truth, other, 0.5, 51)
    with pytest.raises(UserError, match="no such folder"):
        score_detections(truth, tmp_path / "none", 0.5, 51)
    with pytest.raises(UserError, match="no file, expected one per video"):
        score_detections(truth, write(tmp_path / "e", {}), 0.5, 51)
    with pytest.raises(UserError, match="two files for video a"):
        score_detections(write(tmp_path / "d", {"a.txt": "", "a.csv": ""}), truth, 0.5, 51)
    with pytest.raises(UserError, match="--theta 0: expected"):
        score_detections(truth, truth, 0, 51)
