"""Labels of clips, at the command line and in Python: one answer by every door."""

import csv
import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trained_run
from small_world import RUN, pstl, refused_in_one_line, walks

import pstl as package
from pstl.encoding.features import encode
from pstl.errors import UserError
from pstl.hub.labels import Sliding, of_frames
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

NAMES = [f"{clip.name}.npy" for clip in walks()[20:24]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights with a classifier, four clips, and a recording."""
    folder, before = tmp_path_factory.mktemp("predict"), Path.cwd()
    os.chdir(folder)
    try:
        trained_run.make()
        pstl("export", RUN, "--classifier", "probe", "--out", "weights")
        long = np.concatenate([np.load(f"clips/{name}") for name in NAMES] * 8)
        Path("recordings").mkdir()
        np.save("recordings/session.npy", long)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")


def verb(*words: str) -> list[str]:
    return ["predict", *words, "--weights", "weights", "--device", "cpu"]


def test_every_form_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, JSON, CSV, a page and Python are doors to one computation."""
    door = package.load("weights")
    expected = [door.predict(f"clips/{name}", top=2) for name in NAMES]
    pstl(*verb("clips", "--top", "2"))
    lines = capsys.readouterr().out.splitlines()
    for line, name, labels in zip(lines, NAMES, expected, strict=True):
        shown = ", ".join(f"{label.name} {label.chance:.0%}" for label in labels)
        assert line.split(maxsplit=1) == [Path(name).stem, shown]
    for out in ("p.json", "p.csv", "p.html"):
        pstl(*verb("clips", "--top", "2", "--out", out))
    clips = json.loads(Path("p.json").read_text())["clips"]
    rows = list(csv.DictReader(Path("p.csv").read_text().splitlines()))
    page = Path("p.html").read_text()
    for number, labels in enumerate(expected):
        assert [part["name"] for part in clips[number]["labels"]] == [each.name for each in labels]
        chances = [part["chance"] for part in clips[number]["labels"]]
        np.testing.assert_allclose(chances, [each.chance for each in labels], atol=1e-5)
        own = [row for row in rows if row["clip"] == Path(NAMES[number]).stem]
        assert [row["label"] for row in own] == [each.name for each in labels]
        assert f"{labels[0].name} {labels[0].chance:.0%}" in page
    everything = door.probabilities([f"clips/{name}" for name in NAMES])
    np.testing.assert_allclose(everything.sum(1), 1, atol=1e-5)


def test_names_of_clips_are_text_on_the_page() -> None:
    """A file's name is somebody else's word; on a page it must not become a script."""
    Path("odd").mkdir()
    shutil.copy(f"clips/{NAMES[0]}", "odd/<i>a&b.npy")
    pstl(*verb("odd", "--out", "p.html"))
    page = Path("p.html").read_text()
    assert "&lt;i&gt;a&amp;b" in page
    assert "<i>a" not in page


def test_names_of_clips_are_no_formula_and_move_no_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A spreadsheet computes what begins with =, and a terminal obeys what follows an escape."""
    Path("names").mkdir()
    for name in ("=1+1", "-x", "\x1b[31mred", os.fsdecode(b"\xff")):
        shutil.copy(f"clips/{NAMES[0]}", f"names/{name}.npy")
    for out in ("n.csv", "n.html"):
        pstl(*verb("names", "--out", out))
    rows = csv.DictReader(Path("n.csv").read_text().splitlines())
    assert {row["clip"] for row in rows} == {"'=1+1", "'-x", "\x1b[31mred", "\\udcff"}
    capsys.readouterr()
    pstl(*verb("names"))
    said = capsys.readouterr().out
    assert r"\x1b[31mred" in said
    assert "\x1b" not in said


def test_a_methods_own_classifier_sees_the_streams_it_was_trained_on() -> None:
    """PSP adds up what its classifier says of joint and motion; one of them is another answer."""
    card = EncoderCard(
        "psp", {}, {"name": "stgcn", "width": 2}, {"name": "scaled300"}, "kinect_v1", 1, 50, "joint"
    )
    torch.manual_seed(0)
    encoder = encoder_file.build(card).eval()
    layer = torch.nn.Linear(encoder.width, 3)
    encoder_file.save("psp.pt", card, encoder, layer)
    door = package.load("psp.pt")
    assert door.classes == ("class 1", "class 2", "class 3")
    x, length = door.prepare([f"clips/{NAMES[0]}"])
    with torch.no_grad():
        each = [encode(replace(card, stream=s), encoder, x, length) for s in ("joint", "motion")]
        expected = sum(layer(features) for features in each).softmax(1)
    likely = door.probabilities([f"clips/{NAMES[0]}"])
    np.testing.assert_allclose(likely, expected.numpy(), atol=1e-6)


def test_an_array_gives_the_labels_of_its_clips() -> None:
    """Who has prepared arrays need not keep the recordings."""
    pstl(*verb("clips", "--out", "raw.json"))
    pstl(*verb(trained_run.ARRAY, "--out", "array.json"))
    raw, array = (
        json.loads(Path(f"{name}.json").read_text())["clips"] for name in ("raw", "array")
    )
    by_name = {clip["name"]: clip["labels"][0] for clip in array}
    assert len(by_name) == 40
    for clip in raw:
        assert by_name[clip["name"]]["name"] == clip["labels"][0]["name"]
        assert by_name[clip["name"]]["chance"] == pytest.approx(
            clip["labels"][0]["chance"], abs=1e-4
        )


def test_one_file_is_one_clip(capsys: pytest.CaptureFixture[str]) -> None:
    """The first thing that is tried is a single file, with one body or with several."""
    clip = np.load(f"clips/{NAMES[0]}")
    np.save("several.npy", np.stack([clip, np.zeros_like(clip)], axis=1))
    pstl(*verb(f"clips/{NAMES[0]}"))
    pstl(*verb("several.npy"))
    one, several = capsys.readouterr().out.splitlines()
    assert one.split(maxsplit=1)[1] == several.split(maxsplit=1)[1]


def test_an_untrimmed_recording_has_a_timeline() -> None:
    """One label for twenty seconds and more is no answer: what matters is what happens when."""
    pstl(*verb("recordings", "--out", "p.json"))
    (clip,) = json.loads(Path("p.json").read_text())["clips"]
    spans, frames = clip["timeline"], clip["frames"]
    assert frames == len(np.load("recordings/session.npy")) > 600
    ends = [(span["first"], span["last"]) for span in spans]
    assert [first for first, _ in ends] == [0, *(last + 1 for _, last in ends[:-1])]
    assert ends[-1][1] == frames - 1
    door = package.load("weights")
    assert [tuple(span.values()) for span in spans] == [
        (span.chance, span.first, span.label, span.last)
        for span in door.timeline("recordings/session.npy")
    ]
    pstl(*verb("clips", "--window", "8", "--stride", "4", "--out", "short.csv"))
    rows = list(csv.DictReader(Path("short.csv").read_text().splitlines()))
    assert {row["clip"] for row in rows if not row["rank"]} == {Path(name).stem for name in NAMES}


def test_frames_are_the_mean_of_the_windows_that_show_them() -> None:
    """By hand: three windows of 4 over 8 frames, 2 apart."""
    likely = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], np.float32)
    first, seen = np.array([0, 2, 4]), np.arange(8) != 3
    shown = of_frames(likely, first, seen, Sliding(4, 2))
    np.testing.assert_allclose(shown[:, 0], [1, 1, 0.75, 0, 0.25, 0.25, 0, 0])
    np.testing.assert_allclose(shown.sum(1), seen)


def test_where_nobody_is_nothing_happens() -> None:
    """An empty room has features, too: those of an absent body, and they are like some class's."""
    door, clip = package.load("weights"), np.load("recordings/session.npy")
    clip[100:300] = 0
    spans = door.timeline(clip, window=16)
    assert [(s.first, s.last, s.chance) for s in spans if s.label == "nobody"] == [(100, 299, 1)]
    with pytest.raises(UserError, match="no body in any frame"):
        door.timeline(clip[100:300], window=16)


def test_a_gif_shows_its_label() -> None:
    """A moving skeleton without its label is what people then edit by hand."""
    image = pytest.importorskip("PIL.Image", reason="pillow comes with matplotlib")
    pstl(*verb("clips", "--gif"))
    clip = np.load(f"clips/{NAMES[0]}")
    with image.open(f"predicted/{Path(NAMES[0]).stem}.gif") as picture:
        assert picture.n_frames == len(clip)
        words = np.asarray(picture.convert("L"))[-14:]
    assert (words < 128).sum() > 20
    pstl(*verb("clips", "--gif", "elsewhere"))
    assert len(list(Path("elsewhere").iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["empty"], "empty: no clips here"),
        (["nothing"], "nothing: no such file or folder"),
        (["clips", "--out", "p.txt"], "known: .json, .csv, .html"),
        ([trained_run.ARRAY, "--window", "9"], "leave out --window"),
        (["nan"], "nan/one.npy: frame 3 holds NaN"),
        (["joints"], "joints/one.npy: 7 joints, expected (T, 20, 3)"),
        (["clips", "--units", "mm"], "expected metres"),
        (["clips", "--window", "100000000"], "expected whole numbers from 1 to 100000"),
    ],
)
def test_what_does_not_fit_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback and no half of an answer."""
    clip = np.load(f"clips/{NAMES[0]}")
    for folder in ("empty", "nan", "joints"):
        Path(folder).mkdir()
    np.save("joints/one.npy", clip[:, :7])
    clip[3, 0, 0] = np.nan
    np.save("nan/one.npy", clip)
    assert said in refused_in_one_line(verb(*words), capsys)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda door, clip: door.timeline(clip, window=4.5), "windows of 4.5 every 0 frames"),
        (lambda door, clip: door.timeline(clip, window=10**10), "expected whole numbers from 1"),
        (lambda door, clip: door.predict(clip, top=2.5), "top 2.5: expected a whole number"),
        (lambda door, clip: door.predict(torch.from_numpy(clip).to_sparse()), "a dense one"),
        (lambda door, clip: door.predict(torch.from_numpy(clip).to("meta")), "a dense one"),
        (lambda door, clip: door.probabilities("clips"), "found one str, expected several"),
        (lambda door, clip: door.embed_all(None), "found one NoneType, expected several"),
        (lambda door, clip: door.prepare([]), "no clip to embed"),
    ],
)
def test_what_python_asks_wrongly_is_answered_in_one_line(
    call: Callable[[package.Embedder, np.ndarray], object], said: str
) -> None:
    """A traceback from inside numpy or torch says nothing about what to do."""
    door, clip = package.load("weights"), np.load(f"clips/{NAMES[0]}")
    with pytest.raises(UserError, match=said):
        call(door, clip)


def test_half_tensors_of_either_kind_are_clips() -> None:
    """Who trains in bfloat16 has such tensors, and numpy has no such type."""
    door, clip = package.load("weights"), np.load(f"clips/{NAMES[0]}")
    tensor = torch.from_numpy(clip)
    np.testing.assert_array_equal(
        door.embed(tensor.bfloat16()), door.embed(tensor.bfloat16().float())
    )


def test_features_of_a_clip_and_along_time() -> None:
    """The clip's are those of `embed`; a row along time says which frame it is about."""
    door, clip = package.load("weights"), np.load(f"clips/{NAMES[0]}")
    both = door.features(clip)
    np.testing.assert_allclose(both.clip, door.embed(clip), atol=1e-6)
    assert both.frames.ndim == 2
    assert both.at.shape == both.frames.shape[:1]
    assert (np.diff(both.at) > 0).all()
    assert 0 <= both.at[0] < both.at[-1] <= len(clip) - 1
    # What happens late in the clip changes late rows most.
    late = clip.copy()
    late[-6:, 4:12, 1] += 0.5
    change = np.abs(door.features(late).frames - both.frames).sum(1)
    assert change[both.at > len(clip) / 2].max() > 2 * change[both.at < len(clip) / 4].max()


def test_tensors_come_back_as_tensors_and_carry_gradients_where_asked() -> None:
    """Somebody trains on top: gradients must reach the weights, and prepared clips."""
    door, clip = package.load("weights"), torch.from_numpy(np.load(f"clips/{NAMES[0]}"))
    plain = door.features(clip)
    assert isinstance(plain.clip, torch.Tensor)
    assert not plain.clip.requires_grad
    np.testing.assert_array_equal(plain.clip.numpy(), door.features(clip.numpy()).clip)
    door.features(clip, grad=True).clip.sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in door.encoder.parameters())
    x, length = door.prepare([clip, clip[:9]])
    assert x.shape[0] == len(length) == 2
    x.requires_grad_()
    features = door.encode(x, length)
    np.testing.assert_allclose(features.clip[0].detach(), plain.clip, atol=1e-5)
    features.frames.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    with pytest.raises(UserError, match="gradients, which end at the recipe"):
        door.features(clip.clone().requires_grad_())


def test_an_encoder_survives_pickling_and_says_what_it_is() -> None:
    """Worker processes are sent one, and a notebook shows it."""
    door = package.load("weights")
    same = pickle.loads(pickle.dumps(door))
    np.testing.assert_array_equal(same.embed(f"clips/{NAMES[0]}"), door.embed(f"clips/{NAMES[0]}"))
    ours, theirs = (each.predict(f"clips/{NAMES[0]}", top=1)[0] for each in (door, same))
    assert theirs.name == ours.name
    assert theirs.chance == pytest.approx(ours.chance, abs=1e-5)
    for part in ("supervised, joint, kinect_v1 (20 joints)", " 32 features, 10 classes", RUN):
        assert part in repr(door)


def test_the_door_is_listed() -> None:
    """What completion offers is what there is."""
    assert {"load", "list_weights", "Embedder", "SkeletonFeatures", "UserError"} <= set(
        dir(package)
    )
    for name in package.DOOR:
        assert vars(package).get(name) or package.__getattr__(name).__doc__


def test_scikit_learn_takes_it_for_one_of_its_own() -> None:
    """Pipelines clone, search and pickle their steps."""
    base = pytest.importorskip("sklearn.base", reason="scikit-learn is an extra")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

    shutil.copytree("weights", "others")
    clips, y = [clip.xyz[:, :, 0] for clip in walks()], [clip.label for clip in walks()]
    step = package.SkeletonFeatures("weights")
    assert step.get_params() == {
        "weights": "weights", "skeleton": "", "units": "m", "device": "cpu"
    }  # fmt: skip
    assert base.clone(step.set_params(units="cm")).units == "cm"
    step.set_params(units="m")
    features = step.fit_transform(clips)
    np.testing.assert_array_equal(features, package.load("weights").embed_all(clips))
    assert len(step.get_feature_names_out()) == features.shape[1]
    line = Pipeline([("features", step), ("classify", LogisticRegression())])
    search = GridSearchCV(line, {"features__weights": ["weights", "others"]}, cv=2).fit(clips, y)
    assert len(search.cv_results_["mean_test_score"]) == 2
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(clips), search.predict(clips))
