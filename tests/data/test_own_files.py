"""Files of one's own: what is written comes back, in metres with y up, and what is wrong is said in
one line."""

import io
import json
import re

import numpy as np
import own_clips
import pytest

from pstl.data import clip_files, numpy_file, own_files, tracks
from pstl.data.own_files import Hints
from pstl.data.readers import alphapose_json
from pstl.errors import UserError
from pstl.records import Person
from pstl.skeletons import load, names

BODIES = names()


def read(path, **hints):
    return own_files.read(path, Hints(**hints))


def recorded(clip):
    return clip.raw.xyz[:, : load(clip.body).recorded]


def centred(xyz):
    return xyz - xyz.mean(axis=(0, 1, 2))


@pytest.mark.parametrize("body", BODIES)
def test_a_table_with_named_columns_comes_back_as_it_was(tmp_path, body):
    """Whose joints these are is told by the names of the columns; a joint in another's place would
    bend every body."""
    xyz = own_clips.people(body)
    own_clips.write_csv(tmp_path / "a.csv", body, xyz)
    clip = read(tmp_path / "a.csv")
    alike = {"msr20": "kinect_v1", "utd20": "kinect_v1"}  # the same places in another order
    assert clip.body == alike.get(body, body)
    order = [load(body).names.index(name) for name in load(clip.body).names[: xyz.shape[1]]]
    np.testing.assert_array_equal(recorded(clip), xyz[:, order].astype(np.float32))
    assert clip.said == ""


@pytest.mark.parametrize(("unit", "metres"), [("cm", 0.01), ("mm", 0.001), ("inch", 0.0254)])
def test_units_are_told_by_the_length_of_the_bones(tmp_path, unit, metres):
    """A clip in millimetres would be a body a thousand times too large; it is said, too."""
    xyz = own_clips.people("coco17")
    own_clips.write_csv(tmp_path / "a.csv", "coco17", xyz / metres)
    clip = read(tmp_path / "a.csv")
    np.testing.assert_allclose(recorded(clip), xyz, atol=1e-5)
    assert clip.said == f"in {unit} by the length of the bones"


def test_units_that_somebody_names_are_not_guessed(tmp_path):
    """A child or a giant would be scaled to a common size."""
    own_clips.write_csv(tmp_path / "a.csv", "coco17", 100 * own_clips.people("coco17"))
    clip = read(tmp_path / "a.csv", units="mm")
    np.testing.assert_allclose(recorded(clip), 0.1 * own_clips.people("coco17"), atol=1e-5)


@pytest.mark.parametrize("up", ["z", "-z", "-y", "x", "-x"])
def test_the_axis_that_points_up_is_told_by_the_trunk(tmp_path, up):
    """Motion capture has z up, cameras have y down: recipes turn about y."""
    xyz = own_clips.people("smpl24")
    x, y, z = np.moveaxis(xyz, -1, 0)
    turned = {
        "z": (x, -z, y),
        "-z": (x, z, -y),
        "-y": (-x, -y, z),
        "x": (y, -x, z),
        "-x": (-y, x, z),
    }[up]
    np.save(tmp_path / "a.npy", np.stack(turned, axis=-1)[:, :, 0])
    clip = read(tmp_path / "a.npy", body="smpl24")
    np.testing.assert_allclose(recorded(clip), xyz, atol=1e-6)
    assert "and was turned" in clip.said


@pytest.mark.parametrize("shape", ["(T, V, 3)", "(T, M, V, 3)", "npz"])
def test_arrays_come_back_as_they_were(tmp_path, shape):
    """The two layouts differ by one axis."""
    xyz = own_clips.people("h36m17", persons=2)
    path = tmp_path / ("a.npz" if shape == "npz" else "a.npy")
    if shape == "npz":
        joints = [name.replace(" ", "_") for name in load("h36m17").names]
        np.savez(path, xyz=xyz.transpose(0, 2, 1, 3), joint_names=joints)
        clip = read(path)
    else:
        one = shape == "(T, V, 3)"
        np.save(path, xyz[:, :, 0] if one else xyz.transpose(0, 2, 1, 3))
        clip = read(path, body="h36m17")
        xyz = xyz[:, :, :1] if one else xyz
    np.testing.assert_array_equal(clip.raw.xyz, xyz.astype(np.float32))


WRITERS = {
    "openpose": (own_clips.write_openpose, "openpose25", ""),
    "alphapose": (own_clips.write_alphapose, "coco17", ".json"),
    "mmpose": (own_clips.write_mmpose, "coco17", ".json"),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("persons", [1, 2])
def test_pictures_come_back_upright_and_of_a_persons_size(tmp_path, kind, persons):
    """Pixels count downwards and to the right: read as they stand, people hang from their feet."""
    write, body, ending = WRITERS[kind]
    xyz = own_clips.people(body, persons=persons)
    write(tmp_path / f"a{ending}", own_clips.pixels(xyz))
    clip = read(tmp_path / f"a{ending}")
    assert clip.body == body
    back = centred(recorded(clip)[..., :2])
    seen = centred(xyz[..., :2])
    scale = back.std() / seen.std()
    assert 0.9 < scale < 1.15
    np.testing.assert_allclose(back / scale, seen, atol=1e-4)
    assert (clip.raw.xyz[..., 2] == 0).all()
    assert clip.said.startswith("in pixels, scaled to people of 1.7 m; y pointed down")
    assert clip.said.endswith(own_files.FLAT)


def test_mmposes_lifted_poses_have_z_up(tmp_path):
    """Its 3-D demo turns them so; h36m17 is what it lifts to."""
    x, y, z = np.moveaxis(own_clips.people("h36m17"), -1, 0)
    own_clips.write_mmpose(tmp_path / "a.json", np.stack([x, -z, y], axis=-1))
    clip = read(tmp_path / "a.json")
    assert clip.body == "h36m17"
    np.testing.assert_allclose(clip.raw.xyz, own_clips.people("h36m17"), atol=1e-6)


def test_openposes_three_dimensions_are_preferred(tmp_path):
    """Several cameras saw more than one."""
    xyz = own_clips.people("openpose25")
    own_clips.write_openpose(tmp_path / "a", xyz)
    np.testing.assert_allclose(recorded(read(tmp_path / "a")), xyz, atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("key", ["pose_world_landmarks", "worldLandmarks"])
def test_mediapipes_world_landmarks_are_turned_upright(tmp_path, several, key):
    """Metres with y down; the two programming languages spell the name differently."""
    xyz = own_clips.people("mediapipe33")
    own_clips.write_mediapipe(tmp_path / "a.json", xyz, key, several)
    clip = read(tmp_path / "a.json")
    assert clip.body == "mediapipe33"
    np.testing.assert_allclose(recorded(clip), xyz, atol=1e-6)


def test_joints_that_a_format_leaves_out_lie_between_their_neighbours(tmp_path):
    """COCO has no trunk: without one no recipe can centre or turn a body."""
    xyz = own_clips.people("coco17")
    own_clips.write_csv(tmp_path / "a.csv", "coco17", xyz)
    body, joints = load("coco17"), read(tmp_path / "a.csv").raw.xyz
    at = {name: joints[:, number] for number, name in enumerate(body.names)}
    for middle, sides in {"hip centre": "hip", "shoulder centre": "shoulder"}.items():
        mean = (at[f"left {sides}"] + at[f"right {sides}"]) / 2
        np.testing.assert_allclose(at[middle], mean, atol=1e-6)
    trunk = (at["hip centre"] + at["shoulder centre"]) / 2
    np.testing.assert_allclose(at["spine"], trunk, atol=1e-6)


def test_a_table_that_lacks_joints_is_read_as_the_body_that_is_named(tmp_path):
    """A tracker of one's own has other joints than any body here; what stands for them is said."""
    xyz = own_clips.people("coco17")
    own_clips.write_csv(tmp_path / "a.csv", "coco17", xyz)
    clip = read(tmp_path / "a.csv", body="kinect_v1")
    at = {name: clip.raw.xyz[:, j, 0] for j, name in enumerate(load("kinect_v1").names)}
    hips = [xyz[:, load("coco17").names.index(f"{side} hip"), 0] for side in ("left", "right")]
    np.testing.assert_allclose(at["hip centre"], (hips[0] + hips[1]) / 2, atol=1e-6)
    np.testing.assert_array_equal(at["left hand"], at["left wrist"])
    assert "hip centre is between left hip and right hip" in clip.said
    assert "hand is the wrist" in clip.said
    (tmp_path / "b.csv").write_text("left_hip_x,left_hip_y,right_hip_x,right_hip_y\n1,2,3,4")
    with pytest.raises(UserError, match="no joint 'left knee', nor one that could stand for it"):
        read(tmp_path / "b.csv", body="cmu38")


def test_what_was_not_seen_is_absent_with_all_that_follows_from_it(tmp_path):
    """A confidence of 0 stands beside coordinates that mean nothing; half a hip centre would be a
    hip."""
    xyz = own_clips.pixels(own_clips.people("coco17"))
    own_clips.write_alphapose(tmp_path / "a.json", xyz)
    results = json.loads((tmp_path / "a.json").read_text())
    names_of = load("coco17").names
    results[0]["keypoints"][3 * names_of.index("left hip") + 2] = 0.0
    (tmp_path / "a.json").write_text(json.dumps(results))
    clip = read(tmp_path / "a.json").raw.xyz[:, :, 0]
    unseen = {name for name, joint in zip(names_of, clip[0], strict=True) if not joint.any()}
    assert unseen == {"left hip", "hip centre", "spine"}
    assert clip[1].any(axis=1).all()


def test_people_are_followed_by_their_place_or_their_number(tmp_path):
    """Estimators list people in any order: bodies that exchange places in the middle of a clip are
    no motion."""
    xyz = own_clips.pixels(own_clips.people("coco17", persons=2))
    mixed = xyz.copy()
    mixed[::2] = mixed[::2, :, ::-1]
    own_clips.write_alphapose(tmp_path / "a.json", mixed)
    clip = read(tmp_path / "a.json").raw.xyz
    steps = np.abs(np.diff(clip[..., 0], axis=0)).max()
    assert clip.shape[2] == 2
    assert steps < 0.5  # the two stand two metres apart
    own_clips.write_csv(tmp_path / "a.csv", "coco17", own_clips.people("coco17", 0, 2), True)
    named = read(tmp_path / "a.csv")
    assert named.raw.xyz.shape[2] == 2


def test_whoever_is_far_from_everybody_is_a_new_body():
    """A person who leaves and another who comes in on the other side are two."""
    body = np.random.default_rng(0).normal(size=(17, 2))
    frames = [[Person(body)], [Person(body + 0.1)], [Person(body + 50)]]
    assert [sorted(found) for found in tracks.by_place(frames)] == [[0, 1], [2]]


def test_a_body_around_its_own_root_keeps_it(tmp_path):
    """Lifters give positions relative to the hips, which are then 0, 0, 0 in every frame and mean
    no missing joint."""
    xyz = own_clips.people("h36m17")
    np.save(tmp_path / "a.npy", (xyz - xyz[:, :1])[:, :, 0])
    clip = read(tmp_path / "a.npy", body="h36m17").raw.xyz
    assert clip.any(axis=3).all()
    np.testing.assert_allclose(clip - clip[:, :1], xyz - xyz[:, :1], atol=1e-6)


def test_a_file_without_names_needs_the_body(tmp_path):
    """Two bodies of 17 joints are two bodies: none is told from a number."""
    np.save(tmp_path / "a.npy", own_clips.people("coco17")[:, :, 0])
    with pytest.raises(
        UserError,
        match=r"17 joints, and nothing says of which body; name it: "
        r"coco17 or h36m17 would fit",
    ):
        read(tmp_path / "a.npy")
    assert read(tmp_path / "a.npy", fallback="coco17").body == "coco17"


@pytest.mark.parametrize("order", ["numbered", "bare"])
def test_tables_in_a_bodys_order(tmp_path, order):
    """What programs write that know no names."""
    xyz = own_clips.people("coco17")[:, :, 0]
    rows = [",".join(repr(float(v)) for v in frame.ravel()) for frame in xyz]
    titles = [f"{axis}{joint}" for joint in range(17) for axis in "xyz"]
    head = [",".join(titles)] if order == "numbered" else []
    (tmp_path / "a.csv").write_text("\n".join([*head, *rows]))
    clip = read(tmp_path / "a.csv", body="coco17")
    np.testing.assert_allclose(recorded(clip)[:, :, 0], xyz, atol=1e-6)


def test_a_folder_of_own_files_holds_clips_of_every_kind(tmp_path):
    """The door for everybody: a folder as it is, one clip a file, or a folder of frames."""
    xyz = own_clips.people("coco17")
    own_clips.write_csv(tmp_path / "a.csv", "coco17", xyz)
    own_clips.write_openpose(tmp_path / "b", own_clips.pixels(own_clips.people("openpose25")))
    (tmp_path / "c.bvh").write_text(own_clips.bvh_text())
    clips = clip_files.read_own(tmp_path)
    assert [clip.raw.name for clip in clips] == ["a", "b", "c"]
    assert [clip.skeleton for clip in clips] == ["coco17", "openpose25", "smpl24"]


def test_a_folder_of_frames_is_one_clip_for_every_door(tmp_path):
    """Else each of its frames would be a clip that does not move."""
    own_clips.write_openpose(tmp_path / "b", own_clips.pixels(own_clips.people("openpose25")))
    assert clip_files.clips_at(tmp_path / "b") == [tmp_path / "b"]
    assert clip_files.clips_at(tmp_path) == [tmp_path / "b"]
    (tmp_path / "labels.csv").write_text("clip,label\nb,wave\n")
    assert clip_files.clips_at(tmp_path) == [tmp_path / "b"]


def test_frames_of_a_table_are_in_the_order_of_their_numbers(tmp_path):
    """Rows by person and then by frame are as common as the other way round; a clock is a name."""
    xyz = own_clips.people("coco17")
    own_clips.write_csv(tmp_path / "a.csv", "coco17", xyz)
    head, *rows = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "b.csv").write_text("\n".join([head, *rows[::-1]]))
    np.testing.assert_allclose(recorded(read(tmp_path / "b.csv")), xyz, atol=1e-6)
    clocks = [f"12:00:{number:02}{row[row.index(',') :]}" for number, row in enumerate(rows)]
    (tmp_path / "c.csv").write_text("\n".join([head, *clocks]))
    np.testing.assert_allclose(recorded(read(tmp_path / "c.csv")), xyz, atol=1e-6)


def test_minutes_of_landmarks_are_no_bomb(tmp_path):
    """A file of MediaPipe's landmarks is all names and braces; two minutes of them are a clip."""
    own_clips.write_mediapipe(tmp_path / "a.json", own_clips.people("mediapipe33")[:1])
    (frame,) = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps([frame] * 1800, indent=0))
    assert len(read(tmp_path / "a.json").raw.xyz) == 1800


TOKENS = [b"null", b"true", b"[]", b"-1", b"1e400", b"NaN", b'"x"', b"", b",", b"\n", b"[[1]]"]


def sound_files(folder):
    """A file of every kind, small."""
    coco = own_clips.people("coco17")[:3]
    own_clips.write_csv(folder / "a.csv", "coco17", coco, persons=True, score=True)
    own_clips.write_alphapose(folder / "b.json", own_clips.pixels(coco), tracked=True)
    own_clips.write_mmpose(folder / "c.json", own_clips.pixels(coco))
    own_clips.write_mediapipe(folder / "d.json", own_clips.people("mediapipe33")[:2])
    own_clips.write_openpose(folder / "e", own_clips.pixels(own_clips.people("openpose25"))[:1])
    (folder / "f.bvh").write_text(own_clips.bvh_text())
    np.save(folder / "g.npy", coco[:, :, 0])
    np.savez(folder / "h.npz", xyz=coco[:, :, 0])
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_damaged_file_is_a_clip_or_one_line(tmp_path):
    """Somebody's file of yesterday's program: whatever is in it, no traceback and no NaN."""
    rng = np.random.default_rng(0)
    refused, lines = 0, set()
    for path in sound_files(tmp_path):
        content = path.read_bytes()
        words = [match.span() for match in re.finditer(rb"[-0-9.e]+|[a-zA-Z_]+|\[|{", content)]
        for _ in range(40):
            start, end = words[rng.integers(len(words))]
            token = TOKENS[rng.integers(len(TOKENS))]
            damaged = content[:start] + token + content[end:] if rng.random() < 0.7 else (
                content[: rng.integers(len(content))])  # fmt: skip
            try:
                clip = own_files.of_contents([(damaged, str(path))], "x", Hints(fallback="coco17"))
            except UserError as error:
                lines.add(str(error).count("\n"))
                refused += 1
            else:
                assert np.isfinite(clip.raw.xyz).all()
    assert refused > 100
    assert lines == {0}


BROKEN = {
    "a.csv": {
        "": "the file is empty",
        "frame,speed\n1,2": "no joint in the columns frame, speed",
        "frame,left_wrist_x,left_wrist_y\n": "a header and no row below it",
        "frame,left_wrist_x,left_wrist_y\n0,1,2": "no body has all of its joints there",
        "left_wrist_x,left_wrist_y,nose_x,nose_y,nose_z\n1,2,3,4,5": "has a column z",
        "left_wrist_x,left_wrist_y\n1,2,3": "line 2: 3 values, expected 2",
        "left_wrist_x,left_wrist_y\n1,two": "line 2: found 'two', expected a finite number",
        "frame,nose_x,nose_y\n1,2,3\nx,4,5": "frame 'x' among numbers",
        "1,2,3\n4,5,6": "no header, and nothing says whose joints these are",
    },
    "a.json": {
        "{}": "begins with '{}', expected",
        '{"people": 3}': "people is 3, expected a list",
        '{"people": [{"pose_keypoints_2d": [1, 2]}]}': "expected 3 for every joint",
        '{"people": [{"pose_keypoints_2d": [1, 2, 0.5]}]}': "1 joints, expected the 25",
        '{"people": []}': "nobody in any frame",
        '[{"image_id": "1.jpg", "keypoints": [1, 2, true]}]': "found True, expected numbers",
        '[{"image_id": "1.jpg", "keypoints": "x"}]': "is 'x', expected a list",
        '[{"landmarks": [{"x": 1, "y": 2}]}]': "1 landmarks, expected 33",
        '[{"landmarks": null}]': "no landmarks in it",
        '{"instance_info": [{"instances": [{"keypoints": [[1, 2], [3]], "keypoint_scores": []}]}]}':
            "joints of different lengths",
        '{"people": [': "not valid JSON",
    },
    "a.bvh": {
        "": "expected HIERARCHY",
        "HIERARCHY\nROOT Hips\n{": "no line MOTION",
        "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0\n}\nMOTION": "found 'OFFSET 0 0'",
        "HIERARCHY\nROOT Hips\n{\nCHANNELS 2 Xrotation Up\n}\nMOTION": "expected CHANNELS",
        "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nMOTION": "ends with open braces",
    },
    "a.npz": {"": "not a readable array", "PK": "not a readable array"},
    "a.xyz": {"": "known endings: .bvh, .csv"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [(name, text, said) for name, cases in BROKEN.items() for text, said in cases.items()],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, name, text, said):
    """People see this message first: what was found, and what is expected."""
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as error:
        read(tmp_path / name)
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_id": [1]}, r"image_id of result 0 is \[1\], expected a name or a number"),
        ({"keypoints": [10**400] * 51}, "an infinite or absurd number in it"),
    ],
)
def test_values_that_python_cannot_take_are_one_line(tmp_path, changes, said):
    """A list cannot be the key of a frame, nor a number of 400 digits a float: two crashes."""
    result = {"image_id": "1.jpg", "keypoints": [1.0] * 51} | changes
    (tmp_path / "a.json").write_text(json.dumps([result]))
    with pytest.raises(UserError, match=said):
        read(tmp_path / "a.json")


def test_pictures_may_have_long_numbers(tmp_path):
    """Python refuses to read more than 4300 digits; a timestamp of 13 must still be in order."""
    results = [{"image_id": name, "keypoints": [1.0, 2.0, 0.5] * 17} for name in ("9" * 5000, "1")]
    (tmp_path / "a.json").write_text(json.dumps(results))
    poses = alphapose_json.READER.read((tmp_path / "a.json").read_bytes(), "a.json", "")
    assert len(poses.frames) == 2


def test_a_bomb_of_an_array_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two megabytes of somebody's file took two gigabytes of memory."""
    monkeypatch.setattr(numpy_file, "SMALL", 1 << 16)
    for save, is_bomb in ((np.savez_compressed, True), (np.savez, False)):
        stream = io.BytesIO()
        save(stream, xyz=np.zeros((100, 25, 3, 40), np.float32))
        if is_bomb:
            with pytest.raises(ValueError, match="bytes claim to hold"):
                numpy_file.parsed_npz(stream)
        else:
            assert numpy_file.parsed_npz(stream)["xyz"].shape == (100, 25, 3, 40)
