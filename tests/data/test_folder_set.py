"""A data set declared in settings: a folder of clips of one's own and a table of their labels."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import own_clips
import pytest
import yaml

from pstl import cli, config, graph
from pstl.config.schema import json_schema
from pstl.data.fetch import fetch
from pstl.data.parse import parse
from pstl.data.store import open_sequences
from pstl.errors import UserError
from pstl.graph import Job
from pstl.registry import load_dataset

METHOD = {
    "recipe": "resize50",
    "encoder": {"name": "stgcn", "width": 2},
    "train": {"epochs": 1, "batch_size": 8, "lr": 1.0e-3},
}
SUITE = {
    "summary": "",
    "dataset": "mine",
    "splits": ["xsub"],
    "experiments": [{"methods": ["pstl"], "tasks": ["knn"]}],
}


def declare(changes=None, suite=None):
    """params.yaml and one suite in the current folder, read."""
    section = own_clips.DECLARED | (changes or {})
    params = {"suite": "tiny", "methods": {"pstl": METHOD}, "tasks": {"knn": {}}}
    with open("params.yaml", "w") as stream:
        yaml.safe_dump(params | {"datasets": {"mine": section}}, stream)
    os.makedirs("suites", exist_ok=True)
    with open("suites/tiny.yaml", "w") as stream:
        yaml.safe_dump(suite or SUITE, stream)
    return config.load("params.yaml")


def edit(old, new, file="mine/labels.csv"):
    with open(file) as stream:
        text = stream.read()
    assert old in text
    with open(file, "w") as stream:
        stream.write(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder of eight clips, made once."""
    folder = tmp_path_factory.mktemp("mine")
    own_clips.write_folder(folder / "mine")
    return folder / "mine"


@pytest.fixture(autouse=True)
def project(recorded, tmp_path, monkeypatch):
    shutil.copytree(recorded, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)


def test_the_table_says_what_every_clip_is(recorded):
    """Names, labels, performers, cameras and sides: from the table, in its order."""
    params = declare()
    fetch("mine", params.dataset("mine"), "data/raw/mine")
    parse("mine", params.dataset("mine"), "data/raw/mine", "sequences", jobs=2)
    store, spec = open_sequences("sequences"), load_dataset("mine").spec
    assert spec.classes == ("clap", "wave")
    assert store.names[:3] == ["anna_wave_1", "anna_wave_2", "anna_clap_1"]
    assert [clip.label for clip in store] == [1, 1, 0, 0] * 2
    assert [clip.subject for clip in store] == [1] * 4 + [2] * 4
    assert [clip.camera for clip in store] == [1, 2] * 4
    assert [spec.rule("xsub")(clip) for clip in store] == ["train"] * 4 + ["test"] * 4
    xyz = own_clips.people("coco17") + 0.01
    np.testing.assert_allclose(store[0].xyz[:, :17], xyz, atol=1e-5)


@pytest.mark.parametrize(
    ("split", "sides"),
    [
        ({"by": "camera", "train": [1]}, "train test " * 4),
        ({"by": "camera", "train": 1, "test": 2}, "train test " * 4),
        ({"by": "performer", "train": ["bo"]}, "test " * 4 + "train " * 4),
        ({"by": "clip", "train": "list.txt"}, "train " * 2 + "test " * 6),
        ({"by": "clip", "train": ["anna_wave_1"], "test": ["bo_clap_2.csv"]}, "train test"),
        ({"column": "fold"}, "train " * 4 + "test " * 4),
    ],
)
def test_splits_by_performer_camera_list_or_column(split, sides):
    """Whoever is named on neither side is left out; without a test side all others are tested."""
    with open("mine/list.txt", "w") as stream:
        stream.write("anna_wave_1\nanna_wave_2.csv\n")
    edit("camera", "fold")
    with open("mine/labels.csv") as stream:
        lines = stream.read().splitlines()
    table = [lines[0] + ",view"]
    for number, line in enumerate(lines[1:]):
        cells = line.split(",")
        table.append(",".join([*cells[:3], "Train" if number < 4 else "test", cells[3]]))
    with open("mine/labels.csv", "w") as stream:
        stream.write("\n".join(table))
    declare({"splits": {"xsub": split}})
    found = load_dataset("mine").sides["xsub"]
    assert [side for side in found.values() if side] == sides.replace(
        "testtrain", "test train"
    ).split()


@pytest.mark.parametrize("kind", ["bvh", "openpose"])
def test_clips_may_be_motion_capture_or_folders_of_frames(kind):
    """What people have; a folder with a file for every frame is one clip."""
    shutil.rmtree("mine")
    if kind == "bvh":
        angles = {("LeftArm", "X"): np.arange(3.0)}
        text = own_clips.bvh_text(angles)

        def write(path, xyz):
            path.write_text(text.replace("OFFSET 0 1 0", f"OFFSET 0 1 {len(path.name)}"))
    else:

        def write(path, xyz):
            own_clips.write_openpose(path, own_clips.pixels(own_clips.people("openpose25"))[:4])

    own_clips.write_folder(Path("mine"), write, ".bvh" if kind == "bvh" else "")
    params = declare()
    fetch("mine", params.dataset("mine"), "data/raw/mine")
    parse("mine", params.dataset("mine"), "data/raw/mine", "sequences", jobs=1)
    store = open_sequences("sequences")
    assert len(store) == 8
    assert load_dataset("mine").spec.skeleton == {"bvh": "smpl24", "openpose": "openpose25"}[kind]
    assert len(store[0].xyz) == {"bvh": 3, "openpose": 4}[kind]


def checked(changes):
    """What a workflow does before its first job."""
    config.check_plugins(declare(changes), "tiny")


WRONG = {
    "no folder": (lambda: shutil.rmtree("mine"), {}, "no folder mine here"),
    "no table": (lambda: os.remove("mine/labels.csv"), {}, "no mine/labels.csv, expected a table"),
    "no column": (lambda: edit("label", "lable"), {}, "expected one called label or class"),
    "no file": (lambda: os.remove("mine/bo_wave_1.csv"), {}, "1 clips of mine/labels.csv have no "
                "file there, e.g. bo_wave_1.csv"),
    "no label": (lambda: edit("bo_wave_1.csv,wave", "bo_wave_1.csv,"), {}, "line 6: no label of"),
    "twice": (lambda: edit("bo_wave_2.csv", "bo_wave_1.csv"), {}, "stands in line 6 already"),
    "short row": (lambda: edit("bo_wave_1.csv,wave,bo,1", "bo_wave_1.csv,wave"), {},
                  "line 6: 2 values, expected 4"),
    "unknown performer": (None, {"splits": {"xsub": {"train": ["cleo"]}}},
                          "no performer 'cleo' in the table of labels; known: anna, bo"),
    "both sides": (None, {"splits": {"xsub": {"train": ["bo"], "test": ["bo"]}}},
                   "performer bo is in train and in test"),
    "one side": (None, {"splits": {"xsub": {"train": ["anna", "bo"]}}},
                 "8 training and 0 test clips; both sides need some"),
    "no splits": (None, {"splits": {}}, "no splits; name one, e.g. splits:"),
    "no such column": (None, {"splits": {"xsub": {"column": "fold"}}}, "no column 'fold'"),
    "class": (None, {"classes": ["wave"]}, "'clap' of the table of labels is not among them"),
    "typo": (None, {"peple": 2}, "did you mean people?"),
    "no path": (None, {"path": ""}, "no path; name the folder of the clips"),
    "outside": (lambda: edit("bo_wave_1.csv", "../params.yaml"), {}, "is not in the folder mine"),
    "split's name": (None, {"splits": {"x/y": {"train": ["bo"]}}}, "'x/y' is no name"),
    "kind": (None, {"kind": "foldr"}, "unknown kind of data set 'foldr'; known: folder"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line_before_anything_is_read(case, capsys):
    """People type these settings by hand; a mistake that shows after an hour costs an hour."""
    damage, changes, said = WRONG[case]
    if damage:
        damage()
    with pytest.raises(UserError) as error:
        checked(changes)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "changes", "said"),
    [
        ("bo_wave_1.csv,wave,bo,1\n", "", {}, "1 file has no row in labels.csv"),
        ("bo_wave_1.csv,wave", "bo_wave_1.csv,bow", {}, "classes with a single clip: bow"),
        ("bo_wave_1.csv,wave", "bo_wave_1.csv,bow", {}, "tested and never trained on: bow"),
        ("", "", {"splits": {"xsub": {"by": "clip", "train": ["bo_wave_1", "anna_clap_1"]}}},
         "split xsub: performers on both sides: anna, bo"),
    ],
)  # fmt: skip
def test_what_is_odd_is_said_and_kept(old, new, changes, said, capsys):
    """A performer on both sides is no error of the machine; but numbers then mean something
    else."""
    edit(old, new)
    declare(changes)
    assert any(said in line for line in load_dataset("mine").remarks())
    cli.main(["doctor", "mine", "--jobs", "1"])
    assert said in capsys.readouterr().out


def test_check_and_doctor_say_the_same(capsys):
    """The first two commands that people try."""
    declare()
    cli.main(["check"])
    assert "suite tiny is sound" in capsys.readouterr().err
    cli.main(["doctor", "mine", "--jobs", "1"])
    out = capsys.readouterr().out
    assert "mine: ok, not fetched" in out
    assert "xsub: 4 + 4 clips" in out
    os.remove("mine/bo_wave_1.csv")
    for words in (["check"], ["doctor", "mine"]):
        with pytest.raises(SystemExit):
            cli.main(words)
        said = capsys.readouterr()
        assert "have no file there, e.g. bo_wave_1.csv" in said.err + said.out


def test_damaged_files_are_listed_and_can_be_left_out(capsys):
    """Of a thousand clips one is broken: the others are data."""
    for name in ("anna_wave_1", "bo_clap_2"):
        edit(",0.", ",x.", f"mine/{name}.csv")
    params = declare({"skip_damaged": True})
    with pytest.raises(SystemExit):
        cli.main(["doctor", "mine", "--jobs", "1"])
    out = capsys.readouterr().out
    assert "wrong: 2" in out
    assert "mine/anna_wave_1.csv: line" in out
    fetch("mine", params.dataset("mine"), "raw")
    parse("mine", params.dataset("mine"), "raw", "sequences", jobs=1)
    assert len(open_sequences("sequences")) == 6


def test_doctor_says_what_a_file_of_ones_own_is(capsys):
    """Before a data set is declared, one looks at a file."""
    declare()
    cli.main(["doctor", "mine/bo_wave_1.csv"])
    out = capsys.readouterr().out
    assert "ok, whole" in out
    assert "body: coco17" in out


def test_a_changed_file_or_table_runs_what_depends_on_it():
    """Old numbers must not stand beside new labels."""
    params = declare()
    jobs = {kind: Job(kind, "mine") for kind in ("fetch", "parse", "labels", "leakage")}
    jobs["prepare"] = Job("prepare", "mine", "resize50")
    before = {kind: graph.code(params, job) for kind, job in jobs.items()}
    assert before == {kind: graph.code(params, job) for kind, job in jobs.items()}
    os.utime("mine/bo_wave_1.csv", (1, 1))
    touched = {kind for kind, job in jobs.items() if graph.code(params, job) != before[kind]}
    assert touched == {"fetch"}
    edit("bo_wave_1.csv,wave", "bo_wave_1.csv,clap")
    moved = {kind for kind, job in jobs.items() if graph.code(params, job) != before[kind]}
    assert moved == set(jobs)


def test_what_fetch_made_says_which_contents_it_has(tmp_path):
    """A file of the same size and other numbers is other data; a new date alone is none."""
    params = declare()
    sums = []
    for number, change in enumerate((None, lambda: os.utime("mine/bo_wave_1.csv", (1, 1)),
                                     lambda: edit("0", "1", "mine/bo_wave_1.csv"))):  # fmt: skip
        if change:
            change()
        fetch("mine", params.dataset("mine"), f"raw{number}")
        sums.append(json.loads((tmp_path / f"raw{number}/manifest.json").read_text())["sums"])
    assert sums[0] == sums[1] != sums[2]


def test_a_suite_may_declare_its_own():
    """One file to pass on: clips, splits and experiments."""
    declare(suite=SUITE | {"datasets": {"theirs": own_clips.DECLARED}, "dataset": "theirs"})
    assert load_dataset("theirs").spec.name == "theirs"
    for name, said in (("mine", "yaml declares mine already"), ("ntu60", "rename yours")):
        params = declare(suite=SUITE | {"datasets": {name: own_clips.DECLARED}})
        with pytest.raises(UserError, match=said):
            params.grid("tiny")
    params = declare(suite=SUITE | {"datasets": {"synthetic": {"seed": 2}}})
    with pytest.raises(UserError, match=r"no kind; only params\.yaml"):
        params.grid("tiny")


def test_clips_of_another_body_are_refused():
    """Joint 5 of one body is another's."""
    own_clips.write_openpose("mine/x", own_clips.pixels(own_clips.people("openpose25"))[:3])
    edit("bo_wave_1.csv", "x")
    params = declare()
    fetch("mine", params.dataset("mine"), "raw")
    with pytest.raises(UserError, match="joints of openpose25, the clips before it have those of"):
        parse("mine", params.dataset("mine"), "raw", "sequences", jobs=1)
    assert not os.path.exists("sequences")


def test_an_editor_knows_declared_data_sets():
    """The schema completes what people type by hand, and marks a typo."""
    jsonschema = pytest.importorskip("jsonschema")
    declare()
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(json_schema())))
    content = yaml.safe_load(Path("params.yaml").read_text())
    assert not list(validator.iter_errors(content))
    assert not list(validator.iter_errors(SUITE))
    content["datasets"]["mine"]["peple"] = 2
    assert list(validator.iter_errors(content))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (".,wave,anna,1", r"\. is a folder without a clip, expected a file, or"),
        ("empty,wave,anna,1", "empty is a folder without a clip"),
        ("labels,wave,anna,1", "labels is this table; take its row out"),
    ],
)
def test_what_is_no_clip_is_refused_before_it_is_read(row, said):
    """The folder itself was taken for a clip, and copied into itself; an empty one was a crash."""
    os.mkdir("mine/empty")
    with open("mine/labels.csv", "a") as table:
        table.write(row + "\n")
    declare()
    with pytest.raises(UserError, match=said):
        load_dataset("mine")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"body": "foo"}, "datasets.mine.body: unknown body 'foo', expected one of cmu38"),
        ({"classes": ["wave", "clap", "wave"]}, "datasets.mine.classes: 'wave' stands there twice"),
    ],
)
def test_a_body_and_classes_are_checked_before_a_file_is_read(changes, said):
    """`check` called them sound, and `parse` said it after everything had been copied."""
    declare(changes)
    with pytest.raises(UserError, match=said):
        load_dataset("mine")


def test_a_single_class_is_said():
    """Every probe is right about it, and a table of 100 % looks like a success."""
    table = Path("mine/labels.csv")
    table.write_text(table.read_text().replace(",clap,", ",wave,"))
    declare()
    said = load_dataset("mine").remarks()
    assert "all clips are of one class: there is nothing to tell apart" in said


@pytest.mark.parametrize("kind", ["clip", "frame", "frame gone", "frame new", "table"])
def test_what_was_fetched_of_a_folder_is_compared_before_it_is_read(tmp_path, monkeypatch, kind):
    """A flipped bit of a coordinate or of a label went through every step."""
    shutil.rmtree("mine")
    if kind.startswith("frame"):
        own_clips.write_folder(Path("mine"), own_clips.write_openpose, ending="")
    else:
        own_clips.write_folder(Path("mine"))
    params = declare({"body": "coco17", "units": "m"})
    fetch("mine", params.dataset("mine"), "data/raw/mine")
    places = {"clip": "data/raw/mine/anna_clap_2.csv", "table": "mine/labels.csv"}
    frame = "data/raw/mine/anna_clap_2/take_000000000007_keypoints.json"
    place = Path(places.get(kind, frame))
    if kind == "frame gone":
        place.unlink()
    elif kind == "frame new":
        place = Path(shutil.copy(place, place.with_name("take_000000000999_keypoints.json")))
    else:
        content = bytearray(place.read_bytes())
        content[content.rindex(b"1")] ^= 1  # another digit
        state = place.stat()
        place.write_bytes(content)
        os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(UserError, match="fetched") as refused:
        parse("mine", params.dataset("mine"), "data/raw/mine", "sequences", jobs=1)
    assert str(place) in str(refused.value)


def test_no_clip_takes_the_place_of_what_fetch_writes(tmp_path):
    """Its copy would be overwritten by the manifest, and the manifest read as a clip."""
    shutil.copy("mine/anna_clap_2.csv", "mine/manifest.json")
    edit("anna_clap_2.csv", "manifest.json")
    params = declare()
    with pytest.raises(UserError, match=r"no clip can be called manifest\.json"):
        fetch("mine", params.dataset("mine"), "data/raw/mine")


@pytest.mark.parametrize("path", ["data/raw/mine", "data/raw/mine/deep/er"])
def test_a_folder_of_ones_own_is_not_replaced_by_what_is_copied_of_it(path):
    """What stands there beside the clips, videos and notes, would be gone."""
    shutil.copytree("mine", path)
    Path(path, "notes.txt").write_text("of the person who recorded them")
    params = declare({"path": path})
    with pytest.raises(UserError, match="would be replaced, and it holds"):
        fetch("mine", params.dataset("mine"), "data/raw/mine")
    assert Path(path, "notes.txt").exists()
