"""SBU: rows become two people in metres, the folds are the release's, and the bodies are what the
skeleton table and the formula say."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pstl.data import doctor, parse
from pstl.data.datasets import sbu
from pstl.data.fetch import fetch
from pstl.data.formats import sbu_txt
from pstl.errors import UserError
from pstl.records import Clip
from pstl.skeletons import load

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SKELETON = load(sbu.DATASET.spec.skeleton)
J = SKELETON.joints
JOINT = {name: i for i, name in enumerate(SKELETON.names)}
CLIP = "s01s02/04/001"


def write(folder, clip=CLIP, frames=(55, 56), columns=90, value=None):
    """A clip whose numbers are 0.01, 0.02, ... in each row."""
    shares = [f"{0.01 * (i + 1):g}" if value is None else value for i in range(columns)]
    path = folder / clip / "skeleton_pos.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{frame},{','.join(shares)}\n" for frame in frames))
    return path


def test_a_file_becomes_a_clip_of_two_people(tmp_path):
    """One after the other in a row; y grows downwards in the file and upwards here."""
    write(tmp_path)
    (clip,) = parse.clips(sbu.DATASET, tmp_path)
    assert (clip.name, clip.label, clip.subject, clip.setup) == ("s01s02_04_001", 3, 1, 12)
    assert clip.xyz.dtype == np.float32
    assert clip.xyz.shape == (2, J, 2, 3)
    x, y, z = 0.01 * (45 + 3 * 4 + np.arange(1, 4))  # second person, joint 4
    expected = (1.28 - 2.56 * x, 0.96 - 1.92 * y, 1.28 * z)
    np.testing.assert_allclose(clip.xyz[1, 4, 1], expected, rtol=1e-6)


def test_a_joint_that_was_not_seen_stays_zero(tmp_path):
    """By the formula three zeros would be a joint a metre beside the sensor; everywhere else they
    are nobody."""
    path = write(tmp_path, value="0")
    assert not sbu_txt.read(path.read_bytes(), str(path), J).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": 89}, "expected rows of 91 numbers"),
        ({"frames": ()}, r"table of \(0, 0\), expected rows of 91"),
        ({"frames": (55, 57)}, "row 2: frame 57 after 55, expected one more"),
        ({"frames": (55, 55)}, "row 2: frame 55 after 55"),
        ({"frames": (55.5,)}, "absurd numbers: found 55.5"),
        ({"value": "nan"}, "NaN, infinite or absurd"),
        ({"value": "320"}, "beyond 10 of the image"),
        ({"value": "x"}, "not a table of numbers"),
        ({"clip": "s01s04/01/001"}, "no such pair or action"),
        ({"clip": "s01s02/09/001"}, "no such pair or action"),
    ],
)
def test_what_is_damaged_is_named(tmp_path, changes, message):
    """One bad file among 282 of one name is only found if the message has its folders."""
    path = write(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as caught:
        list(parse.clips(sbu.DATASET, tmp_path))
    assert str(caught.value).startswith(f"{path}: ")


def test_files_are_told_apart_by_their_folders(tmp_path):
    """All files are called alike: by their names alone 282 would be one, and nobody would hear
    which is damaged."""
    names = [CLIP, "s01s02/04/002", "s02s01/04/001"]
    for name in names:
        write(tmp_path / "copy/deep", name)
    fetch("sbu", {}, tmp_path / "raw", [tmp_path / "copy"])
    clips = list(parse.clips(sbu.DATASET, tmp_path / "raw"))
    assert [clip.name for clip in clips] == [name.replace("/", "_") for name in names]
    damaged = write(tmp_path / "raw", names[1], value="x")
    reading = parse.clips(sbu.DATASET, tmp_path / "raw", skip=True)
    assert len(list(reading)) == 2
    assert reading.left_out.keys() == {f"{names[1]}/{damaged.name}"}
    write(tmp_path / "copy/other", CLIP)
    with pytest.raises(UserError, match=f"{CLIP}/skeleton_pos.txt is in .*remove one copy"):
        fetch("sbu", {}, tmp_path / "again", [tmp_path / "copy"])


def test_every_pair_is_tested_in_one_fold():
    """Five folds of 21 pairs: what is tested twice, or never, is another protocol's mean."""
    assert sum(map(len, sbu.FOLDS.values())) == len(sbu.PAIRS) == 21
    for pair in sbu.PAIRS:
        clip = Clip("", 0, np.zeros(0), setup=pair)
        sides = Counter(rule(clip) for rule in sbu.DATASET.spec.splits.values())
        assert sides == {"train": 4, "test": 1}
    people = {pair // 10 for pair in sbu.PAIRS} | {pair % 10 for pair in sbu.PAIRS}
    assert people == set(range(1, 8))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    if not (SHARED / "sbu").is_dir():
        pytest.skip("no real recordings: ../shared/data/sbu is absent")
    folder = tmp_path_factory.mktemp("raw") / "sbu"
    fetch("sbu", {}, folder, [SHARED / "sbu"])
    assert doctor.examine("sbu", {}, folder, [], jobs=1)["state"] == "whole"
    return list(parse.clips(sbu.DATASET, folder))


@pytest.fixture(scope="module")
def people(clips):
    """(B, V, 3) of both people in all frames."""
    return np.concatenate([clip.xyz.transpose(0, 2, 1, 3).reshape(-1, J, 3) for clip in clips])


def test_clips_are_the_releases_282(clips):
    """Accuracies are means over these folds of these clips."""
    assert len(clips) == 282
    by_class = Counter(clip.label for clip in clips)
    assert [by_class[label] for label in range(8)] == [42, 43, 40, 41, 18, 21, 39, 38]
    for fold, rule in sbu.DATASET.spec.splits.items():
        side = Counter(map(rule, clips))
        assert (side["train"], side["test"]) == sbu.DATASET.spec.expected[fold]
    assert {clip.setup for clip in clips} == sbu.PAIRS
    lengths = [len(clip.xyz) for clip in clips]
    assert (min(lengths), max(lengths), sum(lengths)) == (10, 46, 6822)
    assert len({clip.xyz.tobytes() for clip in clips}) == 282


def bones(people):
    child, parent = np.array(SKELETON.edges).T
    return np.linalg.norm(people[:, child] - people[:, parent], axis=-1)


def test_the_formula_gives_metres(people):
    """Shares of an image would make bodies shrink with their distance: these keep their lengths at
    every depth, and are as wide along x as along z."""
    length, depth = bones(people), people[:, JOINT["spine"], 2]
    for bone in length.T:
        assert abs(np.corrcoef(bone, depth)[0, 1]) < 0.2
    across = people[:, SKELETON.shoulders[1]] - people[:, SKELETON.shoulders[0]]
    width = np.linalg.norm(across, axis=-1)
    along = [width[abs(across[:, axis]) > 0.9 * width] for axis in (0, 2)]
    assert min(map(len, along)) > 300
    assert np.median(along[0]) == pytest.approx(np.median(along[1]), rel=0.03)
    assert np.median(width) == pytest.approx(0.30, abs=0.02)


def test_bones_keep_their_length_and_both_sides_have_the_same(people):
    """A joint order that is off by one still trains; but then forearms are as long as thighs."""
    child = [SKELETON.names[c] for c, _ in SKELETON.edges]
    length = dict(zip(child, np.median(bones(people), 0), strict=True))
    expected = {"knee": 0.43, "foot": 0.41, "elbow": 0.29, "hand": 0.28, "hip": 0.24}
    for name, metres in (expected | {"shoulder": 0.15}).items():
        for side in ("left ", "right "):
            assert length[side + name] == pytest.approx(metres, abs=0.02)
    spread = dict(zip(child, bones(people).std(0) / np.median(bones(people), 0), strict=True))
    assert all(share < 0.15 for name, share in spread.items() if "elbow" not in name)


def test_the_trunk_is_named_by_its_places(people):
    """The release's neck and torso are other bodies' shoulder centre and spine: by these names an
    encoder of another sensor finds them."""
    centre, spine = people[:, JOINT["shoulder centre"]], people[:, JOINT["spine"]]
    between = people[:, list(SKELETON.shoulders)].mean(1)
    hips = people[:, list(SKELETON.hips)].mean(1)
    assert np.median(np.linalg.norm(centre - between, axis=-1)) < 0.02
    assert np.median(np.linalg.norm(spine - (centre + hips) / 2, axis=-1)) < 0.02


def test_up_is_y_and_left_is_left(clips, people):
    """People look at each other: seen from above, the left side is then on the left of that
    line."""
    height = np.median(people[:, :, 1], 0)
    order = ["head", "shoulder centre", "spine", "left hip", "left knee", "left foot"]
    assert (np.diff(height[[JOINT[name] for name in order]]) < 0).all()
    faces = []
    for clip in clips:
        for one, other in ((0, 1), (1, 0)):
            ahead = clip.xyz[:, JOINT["spine"], other] - clip.xyz[:, JOINT["spine"], one]
            left, right = (clip.xyz[:, joint, one] for joint in SKELETON.shoulders)
            faces.append(((left - right) * np.cross((0.0, 1.0, 0.0), ahead)).sum(-1) > 0)
    assert np.concatenate(faces).mean() > 0.9


def test_either_of_the_two_acts(clips):
    """A method that took the first body for the one who acts would be wrong in two kicks of five;
    the bodies themselves keep their order in all clips of a pair."""
    kicks = [clip for clip in clips if sbu.DATASET.spec.classes[clip.label] == "kick"]
    feet = [JOINT["left foot"], JOINT["right foot"]]
    raised = [np.ptp(clip.xyz[:, feet][..., 1], axis=0).max(0) for clip in kicks]
    assert Counter(int(up.argmax()) for up in raised) == {0: 24, 1: 16}
    spine = JOINT["spine"]
    for pair in sbu.PAIRS:
        places = [c.xyz[:, spine, :, 0].mean(0) for c in clips if c.setup == pair]
        assert len({bool(one > other) for one, other in places}) == 1


def test_classes_are_what_people_do(clips):
    """The numbers 01 to 08 are named on no file; what bodies do tells them: who comes near, whose
    foot flies, whose hands meet."""
    facts = {name: [] for name in sbu.DATASET.spec.classes}
    for clip in clips:
        one, other = clip.xyz[:, :, 0], clip.xyz[:, :, 1]
        apart = np.linalg.norm(one[:, JOINT["spine"]] - other[:, JOINT["spine"]], axis=-1)
        hands = [JOINT["left hand"], JOINT["right hand"]]
        meet = np.linalg.norm(one[:, hands][:, :, None] - other[:, hands][:, None], axis=-1).min()
        speed = np.linalg.norm(np.diff(one, axis=0), axis=-1).max(0)
        facts[sbu.DATASET.spec.classes[clip.label]].append(
            (apart[-1] - apart[0], apart.min(), meet, speed[JOINT["right foot"]], *speed[hands])
        )
    came, near, meet, foot, left, right = (
        {name: float(np.median(rows, 0)[i]) for name, rows in facts.items()} for i in range(6)
    )
    assert min(came, key=came.get) == "approach"
    assert max(came, key=came.get) == "depart"
    assert max(foot, key=foot.get) == "kick"
    assert min(near, key=near.get) == "hug"
    assert min(meet, key=meet.get) == "shake hands"
    assert right["punch"] > 1.5 * left["punch"]
    assert right["push"] < 1.3 * left["push"]
    assert near["exchange an object"] > 1.1
