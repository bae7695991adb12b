"""`pstl live`: labels while frames come, from a recorded stream and from a played camera."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import own_clips
import pytest

import pstl
from pstl import cli
from pstl.errors import UserError
from pstl.hub import camera, live
from pstl.hub.labels import Sliding

WEIGHTS = "synthetic/simclr"


def stream(path, action, nobody=0):
    """A simulated person's landmarks, a line a frame; the first `nobody` frames are empty."""
    own_clips.write_mediapipe(path, own_clips.people("mediapipe33", action), several=True)
    frames = [{"pose_world_landmarks": []}] * nobody + json.loads(path.read_text())
    path.write_text("".join(f"{json.dumps(frame)}\n" for frame in frames))
    return frames


@pytest.fixture(scope="module")
def embedder():
    return pstl.load(WEIGHTS)


@pytest.mark.parametrize("action", [0, 3, 8])
def test_a_stream_is_named_as_the_file_of_its_frames_is(embedder, tmp_path, action):
    """What the demo says on the screen must be what `predict` says of the same recording."""
    frames = stream(tmp_path / "s.jsonl", action)
    (tmp_path / "s.json").write_text(json.dumps(frames))
    watched = live.Live(embedder, Sliding(len(frames), 1), top=3)
    (look,) = live.play(watched, live.lines_of(tmp_path / "s.jsonl"))
    expected = embedder.predict(tmp_path / "s.json", top=3)
    assert look.frame == len(frames) - 1
    assert [label.name for label in look.labels] == [label.name for label in expected]
    chances = [[label.chance for label in some] for some in (look.labels, expected)]
    assert np.allclose(*chances, atol=1e-5)
    assert look.labels[0].name == embedder.classes[action]


def test_looks_come_as_the_window_moves_and_forget_what_left_it(embedder, tmp_path):
    """A second action must be named when the first has ended, however long one watches."""
    first, second = (stream(tmp_path / f"{action}.jsonl", action) for action in (3, 8))
    lines = live.lines_of(tmp_path / "3.jsonl") + live.lines_of(tmp_path / "8.jsonl")
    window = min(len(first), len(second))
    looks = list(live.play(live.Live(embedder, Sliding(window, 10), 1), lines))
    assert [look.frame for look in looks] == list(range(window - 1, len(lines), 10))
    alone = live.Live(embedder, Sliding(window, 1), 1)
    *_, last = live.play(alone, lines[looks[-1].frame + 1 - window : looks[-1].frame + 1])
    assert looks[-1].labels == last.labels
    assert looks[0].labels[0].name == embedder.classes[3]
    assert len(live.Live(embedder, Sliding(window, 10), 1).frames) == 0


def test_frames_without_anybody_are_no_mistake(embedder, tmp_path):
    """Whoever starts the demo still has to walk in front of the camera."""
    stream(tmp_path / "s.jsonl", 0, nobody=30)
    lines = live.lines_of(tmp_path / "s.jsonl")
    looks = list(live.play(live.Live(embedder, Sliding(20, 10), 1), lines))
    assert looks[0].text() == "nobody"
    assert "%" in looks[-1].text()
    short = list(live.play(live.Live(embedder, Sliding(500, 10), 1), lines))
    assert [look.frame for look in short] == [len(lines) - 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty, expected a line of landmarks"),
        ("[1, 2]\n", "line 1: '.1, 2.' has no landmarks, expected"),
        ('{"pose_world_landmarks": []}\n{"a": 1}\n', "line 2: .* has no landmarks"),
        ('{"pose_world_landmarks": [[{"x": 1}]]}\n', "line 1: 1 landmarks, expected 33"),
        ("{\n", "line 1: not valid JSON"),
    ],
)
def test_a_line_that_is_none_is_named(embedder, tmp_path, text, message):
    """A stream of an hour has a hundred thousand lines."""
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(UserError, match=message):
        list(live.play(live.Live(embedder, Sliding(5, 1), 1), live.lines_of(tmp_path / "s.jsonl")))


def test_a_stream_is_watched_from_the_command_line(tmp_path, monkeypatch, capsys):
    """As somebody without a camera types it."""
    monkeypatch.chdir(tmp_path)
    frames = stream(tmp_path / "s.jsonl", 0)
    words = ["live", "--weights", WEIGHTS, "--stream", "s.jsonl", "--top", "2"]
    cli.main([*words, "--window", "70", "--stride", "100"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("frame 69: wave slowly ")
    assert line.count("%") == 2
    assert len(frames) < 170


def refused(words, capsys):
    """The one line that a command line is refused with."""
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    """Without the extra, the model, a camera, or the stream."""
    monkeypatch.chdir(tmp_path)
    words = ["live", "--weights", WEIGHTS]
    monkeypatch.setitem(sys.modules, "cv2", None)
    needs = "pstl live: needs cv2, which is not installed here; run: pip install 'pstl[live]'"
    assert refused(words, capsys) == needs
    assert "s.jsonl: no such file" in refused([*words, "--stream", "s.jsonl"], capsys)
    both = [*words, "--stream", "s.jsonl", "--camera", "1"]
    assert "--stream needs no camera" in refused(both, capsys)
    played(monkeypatch, [], is_open=False)
    assert "pose_landmarker_full.task: no such file; get" in refused(words, capsys)
    (tmp_path / "pose_landmarker_full.task").write_bytes(b"")
    assert "camera 2: none that can be opened" in refused([*words, "--camera", "2"], capsys)


def played(monkeypatch, frames, is_open=True, keys=()):
    """Stands for OpenCV and MediaPipe: pictures are numbers of frames, landmarks are `frames`.

    Returns: what was written on pictures.
    """
    words, pictures, pressed = [], iter(range(len(frames))), iter(keys)

    class Capture:
        def __init__(self, number):
            self.number = number

        def isOpened(self):
            return is_open

        def read(self):
            number = next(pictures, None)
            return number is not None, number

        def release(self):
            words.append("released")

    cv2 = ModuleType("cv2")
    vars(cv2).update(
        VideoCapture=Capture,
        COLOR_BGR2RGB=4,
        FONT_HERSHEY_SIMPLEX=0,
        cvtColor=lambda picture, code: picture,
        putText=lambda picture, text, *rest: words.append(text),
        imshow=lambda title, picture: None,
        waitKey=lambda wait: next(pressed, -1),
        destroyAllWindows=lambda: None,
    )
    times = []

    def detect(image, time_ms):
        assert time_ms > (times[-1] if times else -1)
        times.append(time_ms)
        people = frames[image.data]["pose_world_landmarks"]
        points = [[SimpleNamespace(**point) for point in one] for one in people]
        return SimpleNamespace(pose_world_landmarks=points)

    landmarker = SimpleNamespace(detect_for_video=detect, close=lambda: None)
    vision = SimpleNamespace(
        PoseLandmarkerOptions=SimpleNamespace,
        RunningMode=SimpleNamespace(VIDEO="video"),
        PoseLandmarker=SimpleNamespace(create_from_options=lambda options: landmarker),
    )
    mediapipe, tasks = ModuleType("mediapipe"), ModuleType("mediapipe.tasks")
    python = ModuleType("mediapipe.tasks.python")
    vars(mediapipe).update(Image=SimpleNamespace, ImageFormat=SimpleNamespace(SRGB=1), tasks=tasks)
    vars(tasks).update(python=python)
    vars(python).update(BaseOptions=SimpleNamespace, vision=vision)
    for module in (cv2, mediapipe, tasks, python):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return words


def test_a_camera_is_watched_until_it_ends_and_its_stream_is_kept(embedder, tmp_path, monkeypatch):
    """What was seen can be played again: the demo becomes a test case."""
    frames = stream(tmp_path / "s.jsonl", 0)
    words = played(monkeypatch, frames)
    (tmp_path / "model").write_bytes(b"")
    looks = []
    with camera.Camera(0, tmp_path / "model", 1) as opened:
        watched = live.Live(embedder, Sliding(40, 10), 1)
        camera.watch(watched, opened, looks.append, tmp_path / "kept.jsonl")
    assert words[:39] == [""] * 39
    assert words[40].startswith(looks[0].labels[0].name)
    assert words[-1] == "released"
    again = live.Live(embedder, Sliding(40, 10), 1)
    assert list(live.play(again, live.lines_of(tmp_path / "kept.jsonl"))) == looks


def test_the_letter_q_ends_it(embedder, tmp_path, monkeypatch):
    """A window that cannot be closed takes the terminal with it."""
    frames = stream(tmp_path / "s.jsonl", 0)
    words = played(monkeypatch, frames, keys=(-1, -1, ord("q")))
    (tmp_path / "model").write_bytes(b"")
    with camera.Camera(0, tmp_path / "model", 1) as opened:
        camera.watch(live.Live(embedder, Sliding(40, 10), 1), opened, print, None)
    assert words == ["", "", "", "released"]
