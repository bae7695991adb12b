"""Weights that others trained as a method of a suite: whose they are is sure, and said."""

import copy
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import released
import torch
from settings_files import settings_of, write_settings

from pstl import cli, graph
from pstl.config import Params, Run, check_plugins
from pstl.errors import UserError
from pstl.files import read_json
from pstl.report.rows import RunRecord
from pstl.train import encoder_file
from pstl.train.curve import RECORD

RUN = "theirs/nwucla/xview/theirs/joint/s0"
ELSEWHERE = "data/weights"


def settings(entry: dict[str, Any], **experiment: Any) -> dict[str, Any]:
    """One suite whose method `theirs` takes weights, and `raw` nothing."""
    block = {"dataset": "nwucla", "splits": ["xview"], "methods": ["theirs"], "tasks": ["knn"]}
    raw = {"recipe": "resize50", "encoder": {"name": "raw"}, "train": {"epochs": 0, "lr": 1.0}}
    suite = {"summary": "", "experiments": [block | experiment]}
    return {
        "suite": "theirs",
        "methods": {"theirs": entry, "raw": raw},
        "tasks": {"knn": {}, "classify": {}},
        "suites": {"theirs": suite},
    }


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of archives with theirs.pt somewhere below. Returns: its SHA-256."""
    monkeypatch.chdir(tmp_path)
    Path("archives/deep").mkdir(parents=True)
    return released.write_released(Path("archives/deep/theirs.pt"), "kinect_v1", classes=10)


def run_verb(entry: dict[str, Any], capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The last line that import-run says; a call that is refused has written nothing."""
    write_settings(".", settings(entry))
    capsys.readouterr()
    code = 0
    try:
        cli.main(["import-run", "--run", RUN, "--out", "out/encoder.pt", *words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    written = sorted(path.name for path in Path("out").glob("*"))
    beside = ["curve.jsonl", "encoder.pt", "run.json", "snapshots.zip"]
    assert written == ([] if code else beside)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert not code or said.splitlines()[-1].startswith("pstl import-run: ")
    return said.splitlines()[-1]


def test_a_file_in_a_folder_of_archives_becomes_an_encoder_with_its_provenance(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number in a table must say by whose weights it is, down to the byte."""
    run_verb(released.entry("nwucla/xview", file="theirs.pt", sha256=file), capsys,
             "--archives", "archives")  # fmt: skip
    card, _ = encoder_file.load("out/encoder.pt")
    assert card.skeleton == "kinect_v1"
    assert card.provenance["run"] == RUN
    assert card.provenance["weights"] == f"theirs.pt sha256:{file[:12]}"
    assert card.provenance["imported_by"] == "pstl"
    record = read_json("out/run.json", RECORD, RunRecord)
    assert record["sha256"] == file
    assert record["settings"]["train"]["epochs"] == 0
    classifier = encoder_file.load_classifier("out/encoder.pt")
    assert classifier is not None
    assert classifier.out_features == 10


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address(file: str) -> Iterator[str]:
    """A server of the folder of archives."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/archives/deep"
    server.shutdown()
    server.server_close()


def test_what_lies_nowhere_is_downloaded_once(
    file: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second suite that names them must not wait for a server, or need one."""
    entry = released.entry("nwucla/xview", url=f"{address}/theirs.pt", sha256=file)
    run_verb(entry, capsys)
    kept = list(Path(ELSEWHERE).rglob("theirs.pt"))
    assert len(kept) == 1
    for path in Path("out").iterdir():
        path.unlink()
    Path("archives/deep/theirs.pt").unlink()
    run_verb(entry, capsys)


def test_a_server_that_sends_something_else_is_not_believed_and_nothing_is_kept(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kept, the wrong file would be found next time."""
    entry = released.entry("nwucla/xview", url=f"{address}/theirs.pt", sha256="0" * 64)
    said = run_verb(entry, capsys)
    assert "theirs.pt sent a file of sha256 " in said
    assert not list(Path(ELSEWHERE).rglob("*.pt"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0" * 64}, "expected 000000"),
        ({"file": "none.pt"}, "none.pt: not there, nor in archives, data/weights; put it there"),
        ({"part": "encoder_k"}, "called 'encoder_k'"),
    ],
)
def test_a_file_that_is_not_the_one_is_refused_in_one_line(
    change: dict[str, str], said: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other weights give other numbers under the same name."""
    entry = released.entry("nwucla/xview", **{"file": "theirs.pt", "sha256": file} | change)
    assert said in run_verb(entry, capsys, "--archives", "archives")


@pytest.mark.usefixtures("file")
def test_an_encoder_of_two_is_given_one_where_its_entry_says_so() -> None:
    """An absent second body costs as much as a person, and its feature is half of every mean."""
    ntu = released.write_released(Path("archives/deep/ntu.pt"), "kinect_v2")
    cards, features = [], []
    for people in (0, 1):
        entry = released.entry("ntu60/xview", file="ntu.pt", sha256=ntu)
        entry["weights"]["people"] = people
        write_settings(".", settings(entry, dataset="ntu60"))
        cli.main(["import-run", "--run", RUN.replace("nwucla", "ntu60"), "--out", "out/encoder.pt",
                  "--archives", "archives"])  # fmt: skip
        card, encoder = encoder_file.load("out/encoder.pt")
        x = torch.zeros(2, 3, 50, 25, card.people)
        x[..., 0] = torch.randn(2, 3, 50, 25, generator=torch.Generator().manual_seed(0))
        cards.append(card)
        features.append(encoder(x).clip)
        nobody = encoder(torch.zeros(1, 3, 50, 25, 1)).clip
    assert [card.people for card in cards] == [2, 1]
    torch.testing.assert_close(features[0], (features[1] + nobody) / 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder": {"name": "stgcn", "width": 4}}, "has the encoder"),
        ({"recipe": "spine300"}, "has the recipe"),
        ({"method": "skeletonbt"}, "has the method skeletonbt, its weights are of pstl"),
    ],
)
def test_an_entry_of_another_encoder_than_its_weights_is_refused(
    change: dict[str, Any], said: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry decides which array is encoded and what the tables call the row."""
    entry = released.entry("nwucla/xview", file="theirs.pt", sha256=file) | change
    assert said in run_verb(entry, capsys, "--archives", "archives")


def test_clips_are_prepared_as_the_entry_says(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cameras that are tilted where NTU's are not ask for another setting of the same recipe, and
    whoever is given the encoder must prepare clips so, too."""
    entry = released.entry("nwucla/xview", file="theirs.pt", sha256=file)
    entry |= {"recipe": {"name": "resize50", "upright": 5}}
    run_verb(entry, capsys, "--archives", "archives")
    card, _ = encoder_file.load("out/encoder.pt")
    assert card.recipe == {"name": "resize50", "upright": 5}


def entry_of(**change: Any) -> dict[str, Any]:
    entry = released.entry("ntu60/xview", file="theirs.pt", sha256="0" * 64)
    return entry | {"weights": entry["weights"] | change}


@pytest.mark.parametrize(
    ("change", "experiment", "said"),
    [
        ({"source": "pstll"}, {}, "did you mean pstl?"),
        ({"trained_on": "ntu60"}, {}, "weights.trained_on"),
        ({"trained_on": "ntu60/xvew"}, {}, "unknown split in the weights of theirs 'xvew'"),
        ({"joint": None}, {}, "no file; name one as joint, bone, motion or other"),
        ({"joint": {"sha256": "0" * 64}}, {}, "neither file nor url"),
        ({"joint": {"file": "a.pt", "sha256": "12"}}, {}, "weights.joint.sha256"),
        ({}, {"sources": ["ntu120/xsub"]}, "the weights of theirs were trained on ntu60/xview"),
        ({}, {"dataset": "ntu60", "splits": ["xsub"]}, "trains on clips that ntu60/xsub tests on"),
        ({"trained_on": "nwucla/xview_disjoint"}, {}, "are of the same clips"),
    ],
)
def test_a_mistake_in_the_settings_stops_before_the_first_job(
    change: dict[str, Any], experiment: dict[str, Any], said: str
) -> None:
    """An encoder that has seen the test side looks like a better one."""
    with pytest.raises(UserError) as refused:
        check_plugins(settings_of(settings(entry_of(**change), **experiment)), "theirs")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_name_is_trained_or_imported_and_not_both() -> None:
    """A rule makes the encoder of an entry by its name, whichever the suite."""
    content = settings(entry_of())
    content["suites"]["again"] = copy.deepcopy(content["suites"]["theirs"])
    content["suites"]["again"]["methods"] = {
        "theirs": {"weights": None, "train": {"epochs": 1, "lr": 1.0}}
    }
    with pytest.raises(UserError, match="trained in the suite again and others' weights in theirs"):
        settings_of(content)


@pytest.fixture
def moved() -> Params:
    """Weights of NTU-60 on NW-UCLA, with seeds and streams."""
    return settings_of(
        settings(entry_of(), methods=["theirs", "raw"], seeds=[0, 1], streams=["joint", "bone"])
    )


def test_what_is_evaluated_elsewhere_is_one_encoder_of_what_it_was_trained_on(
    moved: Params,
) -> None:
    """Seeds and data sets must not import, or encode, the same weights again."""
    runs = [run for run in moved.runs("theirs") if run.method == "theirs"]
    assert [str(run) for run in runs] == ["theirs/ntu60/xview/theirs/joint/s0"]
    cells = [cell for cell in moved.cells("theirs") if cell.run.method == "theirs"]
    assert {cell.source for cell in cells} == {"ntu60/xview"}
    files = {graph.features(moved, cell) for cell in cells}
    assert len(cells) == 4
    assert len(files) == 2
    assert not graph.sides(moved, runs[0])


def test_a_stream_without_weights_is_not_applicable(moved: Params) -> None:
    """A hole in the table has its reason, and no job fails for it."""
    reasons = {run.stream: why for run, why in moved.not_applicable("theirs").items()}
    assert reasons == {"bone": "its weights are of: joint"}
    assert Run.parse(RUN).stream == "joint"
