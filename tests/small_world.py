"""Every kind of file that the verbs read, made by the verbs themselves from random walks: a second
or two, in the current folder.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import simulated
from settings_files import write_settings

from pstl import cli
from pstl.data.datasets import nwucla
from pstl.data.formats.skeleton_txt import ClipName
from pstl.data.recordings import write_recordings
from pstl.data.store import write_sequences
from pstl.records import Clip, Recording
from pstl.skeletons import load
from pstl.train import checkpoint, loop

ROOT = Path(__file__).resolve().parents[1]
JOINTS = load(nwucla.DATASET.spec.skeleton).joints
TRAIN = {"epochs": 2, "batch_size": 16, "lr": 1.0e-3, "snapshot_every": 1}
SHAPE = {"recipe": "resize50", "encoder": {"name": "stgcn", "width": 2}}
METHODS = {
    "supervised": SHAPE | {"train": TRAIN},
    "random_init": SHAPE | {"train": {"epochs": 0, "lr": 1}},
}
TASKS = {
    "knn": {}, "linear": {"epochs": 1}, "retrieval": {}, "classify": {},
    "probe": {"strengths": [1.0], "folds": 2},
    "semi_probe": {"labels": 0.5, "probe": {"strengths": [1.0], "folds": 2}},
    "semi": {"labels": 0.5, "train": {"epochs": 1}}, "finetune": {"train": {"epochs": 1}},
    "detection": {"window": 8, "stride": 8, "smoothing": [1], "least": [1], "train": {"epochs": 1}},
    "prediction": {"observe": 8, "predict": 4, "horizons": [4], "train": {"epochs": 1}},
    "lost_joints": {
        "joints": [3], "parts": False, "frames": [0.5], "by": ["zeros"], "probes": {"knn": {}},
    },
}  # fmt: skip
CELL = {"dataset": "nwucla", "splits": ["xview"], "batch_norm": ["released"]}
EXPERIMENTS = [
    CELL
    | {
        "methods": ["supervised"],
        "streams": ["joint", "bone"],
        "tasks": ["linear"],
        "fuse": {"weights": {"joint": 0.5, "bone": 0.5}},
    },
    CELL | {"methods": ["supervised", "random_init"], "tasks": list(TASKS)},
]
RUN = "tiny/nwucla/xview/supervised/joint/s0"
BONE, FUSED = RUN.replace("joint", "bone"), RUN.replace("joint", "fused")
HOME = "results/tiny/runs/nwucla/xview/supervised/joint/s0"


@contextmanager
def damaged(file: str, damage: Callable[[Path], None]) -> Iterator[None]:
    """A file in another state for a while.

    It is replaced, never written to: somebody may have mapped it.
    """
    path, content = Path(file), Path(file).read_bytes()
    path.unlink()
    path.write_bytes(content)
    damage(path)
    try:
        yield
    finally:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(
            missing_ok=True
        )
        path.write_bytes(content)


def held() -> set[str]:
    """Every file there is, but locks and those of the tracking store, which come and go."""
    paths = (str(path) for path in Path().rglob("*") if path.is_symlink() or not path.is_dir())
    return {
        path
        for path in paths
        if not path.startswith(("mlflow.db", "mlruns")) and not path.endswith(".lock")
    }


def pstl(*words: object) -> None:
    cli.main([str(word) for word in words])


def ran(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit code of a verb, and what it said on stderr."""
    capsys.readouterr()
    code = 0
    try:
        cli.main(words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, capsys.readouterr().err.splitlines()


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a verb says before it exits with 2.

    Progress may stand before it, but no traceback. No file is new.
    """
    before = held()
    code, lines = ran(words, capsys)
    new = held() - before
    assert (code, new) == (2, set()), (code, lines, new)
    assert not [line for line in lines if "Traceback" in line]
    assert lines[-1].startswith(f"pstl {words[0]}: ")
    return lines[-1]


def refused_in_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that a verb says before it exits with 2, having written nothing."""
    before = held()
    code, lines = ran(words, capsys)
    new = held() - before
    shutil.rmtree("out", ignore_errors=True)
    assert (code, len(lines), new) == (2, 1, set()), (code, lines, new)
    return lines[0]


def home(stream: str) -> str:
    return HOME.replace("joint", stream)


def walks(count: int = 40, frames: int = 24) -> list[Clip]:
    """Random walks of 10 classes; the cameras 1 and 2 are for training."""
    rng = np.random.default_rng(0)
    clips = []
    for i in range(count):
        xyz = rng.normal(size=(frames + i % 5, JOINTS, 1, 3)).cumsum(0).astype(np.float32) * 0.02
        clips.append(
            Clip(
                f"a{i:02d}_s{i % 4}_e00_v{1 + i // 10 % 3}",
                i % 10,
                xyz,
                subject=i % 4,
                camera=1 + i // 10 % 3,
                bodies=np.ones((len(xyz), 1), np.uint8),
            )
        )
    return clips


def settings(path: str | Path, **changes: object) -> None:
    suites = {"tiny": {"summary": "", "experiments": EXPERIMENTS}}
    content = {"suite": "tiny", "methods": METHODS, "tasks": TASKS, "suites": suites, **changes}
    write_settings(Path(path).parent, content)


def prepared() -> None:
    """params.yaml, sequences, recordings, array, labels."""
    settings("params.yaml")
    clips = walks()
    write_sequences("data/sequences/nwucla", nwucla.DATASET.spec, JOINTS, clips)
    recordings = [
        Recording(clip, np.arange(len(clip.xyz), dtype=float), ((clip.label, 2.0, 20.0),))
        for clip in clips[::4]
    ]
    write_recordings("data/recordings/nwucla", nwucla.DATASET.spec, recordings)
    pstl(
        "prepare",
        "nwucla",
        "--recipe",
        "resize50",
        "--sequences",
        "data/sequences/nwucla",
        "--out",
        "array",
        "--jobs",
        1,
    )
    pstl(
        "labels",
        "nwucla",
        "--sequences",
        "data/sequences/nwucla",
        "--split",
        "xview",
        "--draw",
        0,
        "--out",
        "labels.json",
    )


def trained() -> None:
    """Encoders of both streams, features, rows and scores, their fusion, an exported encoder, and a
    run that was stopped half-way.
    """
    for stream in ("joint", "bone"):
        run, folder = RUN.replace("joint", stream), home(stream)
        pstl(
            "pretrain",
            "--run",
            run,
            "--array",
            "array",
            "--out",
            f"{folder}/encoder.pt",
            "--device",
            "cpu",
        )
        pstl(*features(f"{folder}/encoder.pt", f"{folder}/released/features.npz"))
        pstl(
            *evaluate(
                "linear",
                f"{folder}/released",
                "--features",
                f"{folder}/released/features.npz",
                run=run,
            )
        )
    pstl(*fuse(f"{home('fused')}/released/linear"))
    pstl("export", "--encoder", f"{HOME}/encoder.pt", "--out", "exported")
    half_way("half")


def half_way(folder: str) -> None:
    """A training that was interrupted in its second epoch: last.pt."""
    epoch = loop.train_epoch

    def stop(*args: object) -> dict[str, float]:
        if args[1] == 1:
            raise KeyboardInterrupt
        return epoch(*args)  # type: ignore[arg-type]

    loop.train_epoch = stop  # type: ignore[assignment]
    try:
        pstl(
            "pretrain",
            "--run",
            RUN,
            "--array",
            "array",
            "--out",
            f"{folder}/encoder.pt",
            "--device",
            "cpu",
        )
    except SystemExit:
        pass
    finally:
        loop.train_epoch = epoch
    checkpoint.release(Path(folder, "last.pt").absolute())


def features(encoder: str, out: str, array: str = "array") -> list[str]:
    words = f"features --split xview --batch-norm released --encoder {encoder} --array {array}"
    return [*words.split(), "--device", "cpu", "--out", out]


def evaluate(task: str, folder: str, *given: str, run: str = RUN) -> list[str]:
    words = f"evaluate --task {task} --run {run} --batch-norm released --device cpu"
    words += f" --out {folder}/{task}.json"
    return [*words.split(), *given, "--scores", f"{folder}/{task}.scores.npz"]


def fuse(out: str) -> list[str]:
    scores = [f"{stream}={home(stream)}/released/linear.scores.npz" for stream in ("joint", "bone")]
    words = f"fuse --run {FUSED} --task linear --batch-norm released --out {out}.json"
    words += f" --scores-out {out}.scores.npz --scores"
    return [*words.split(), *scores]


def others() -> None:
    """Clips of every format, figures of bench, interval texts, a kept table and a page that quotes
    it.
    """
    Path("clips").mkdir()
    for name, content in clips().items():
        Path("clips", name).write_bytes(content)
    np.save("clips/own.npy", walks(1)[0].xyz[:, :, 0])
    Path("own").mkdir()
    shutil.copy("clips/own.npy", "own/own.npy")
    measured = ROOT / "results/measured"
    figures = json.loads((measured / "bench/cpu.json").read_text())
    Path("bench.json").write_text(
        json.dumps([row for row in figures if row.get("method", "supervised") == "supervised"])
    )
    shutil.copytree(measured / "utkinect-detection-cpu", "kept")
    Path("page.md").write_text("<!-- results: kept -->\n<!-- end of results -->\n")
    for side, more in (("truth", ""), ("found", ",0.5")):
        Path(side).mkdir()
        Path(side, "v1.txt").write_text(f"1,0,10{more}\n")


def clips() -> dict[str, bytes]:
    """One small file of each format of raw clips."""
    xyz = walks(1)[0].xyz[:2, :, 0]
    table = xyz.reshape(-1, 3)
    rows = np.concatenate([np.arange(2)[:, None], xyz.reshape(2, -1)], axis=1)
    name = "a01_s01_e01_v01"
    return {
        "S001C001P001R001A001.skeleton": simulated.ntu_clip(ClipName(1, 1, 1, 1, 1), frames=(2, 3)),
        "0002-L.txt": simulated.pku_recording("0002-L", [1], frames=(2, 3))[0],
        f"{name}.json": json.dumps(
            {"file_name": name, "skeletons": xyz.tolist(), "label": 1}
        ).encode(),
        "a01_s01_e01_skeleton3D.txt": "".join(
            f"{x:.6f} {y:.6f} {z:.6f} 1\n" for x, y, z in table
        ).encode(),
        "joints_s01_e01.txt": "".join(
            " ".join(f"{value:.6g}" for value in row) + "\n" for row in rows
        ).encode(),
    }


def show(file: str, *more: str) -> list[str]:
    return ["show", file, "--out", "out/c.gif", *more]


CLIPS = ("--encoder", f"{HOME}/encoder.pt", "--array", "array")
SEQUENCES = "--sequences data/sequences/nwucla"
SCORES = f"{HOME}/released/linear.scores.npz"
EMBED = "--output out/e.npy --device cpu --input own"
LABELS = f"labels nwucla {SEQUENCES} --split xview --draw 0 --rule psp --out out/l.json"
TRACE = f"trace --run {RUN} --snapshots {HOME}/snapshots.zip --array array --tasks knn"
TRACE += " --out out/t.json --device cpu"
TASK_INPUTS = {
    "finetune": CLIPS,
    "semi": (*CLIPS, "--labels", "labels.json"),
    "semi_probe": (
        *CLIPS,
        "--labels",
        "labels.json",
        "--features",
        f"{HOME}/released/features.npz",
    ),
    "lost_joints": (*CLIPS, "--features", f"{HOME}/released/features.npz"),
    "classify": (*CLIPS, "--snapshots", f"{HOME}/snapshots.zip"),
    "detection": ("--encoder", f"{HOME}/encoder.pt", "--recordings", "data/recordings/nwucla"),
    "prediction": ("--encoder", f"{HOME}/encoder.pt", "--recordings", "data/sequences/nwucla"),
} | {
    task: ("--features", f"{HOME}/released/features.npz")
    for task in ("knn", "linear", "retrieval", "probe")
}
# Words of the command line that read what there is here; what they write goes below `out`.
VERBS = {
    **{task: evaluate(task, "out", *given) for task, given in TASK_INPUTS.items()},
    **{f"show {name}": show(f"clips/{name}") for name in clips()},
    "show": show("nwucla/a00_s0_e00_v1"),
    "show own": show("own/own.npy", "--skeleton", "kinect_v1"),
    "features": features(f"{HOME}/encoder.pt", "out/f.npz"),
    "fuse": fuse("out/f"),
    "pretrain": f"pretrain --run {RUN} --array array --out half/encoder.pt --device cpu".split(),
    "embed": f"embed --weights {HOME}/encoder.pt {EMBED}".split(),
    "embed exported": f"embed --weights exported {EMBED}".split(),
    "export": f"export --encoder {HOME}/encoder.pt --out out/exported".split(),
    "import-weights": f"import-weights --source pstl {HOME}/encoder.pt out/i.pt".split(),
    "compare": f"compare {SCORES} {SCORES} --draws 100 --json out/c.json".split(),
    "leakage": ["leakage", "--array", "array", "--split", "xview_disjoint", "--out", "out/l.json"],
    "prepare": f"prepare nwucla --recipe resize50 {SEQUENCES} --out out/a --jobs 1".split(),
    "labels": LABELS.split(),
    "trace": TRACE.split(),
    "score-detections": [
        "score-detections",
        "truth",
        "found",
        "--classes",
        "2",
        "--json",
        "out/d.json",
    ],
    "report": ["report", "--suite", "tiny", "--out", "out/tables"],
    "page": ["page", "--suite", "tiny", "--out", "out/page.html"],
    "plan": ["plan", "tiny", "--bench", "bench.json"],
    "check": ["check"],
    "quote": ["quote", "page.md"],
    "rebuild": ["rebuild", "kept"],
    "compare tables": ["compare", "kept", "kept"],
}
