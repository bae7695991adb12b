"""Every kind of file that a verb reads, damaged in every way: one line that names it, exit code 2,
nothing written, no traceback.

The verbs run in this process, by the command line's own entry, on a world that they made
themselves.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import small_world as world

HOME, CELL = world.HOME, f"{world.HOME}/released"
ENCODER = f"{HOME}/encoder.pt"
FLIPS = int(os.environ.get("PSTL_FLIPS", "3"))  # of each file; hundreds when the readers change


class Case(NamedTuple):
    """A file, and which of world.VERBS reads it. checked: whether a checksum covers it."""

    file: str
    verb: str
    checked: bool = True

    @property
    def words(self) -> list[str]:
        return world.VERBS[self.verb]


def cases() -> Iterator[Case]:
    yield from (
        Case(ENCODER, verb) for verb in ("features", "semi", "embed", "export", "import-weights")
    )
    yield Case("half/last.pt", "pretrain")
    yield Case(f"{HOME}/snapshots.zip", "classify")
    yield Case("exported/model.safetensors", "embed exported")
    yield from (Case(f"{CELL}/features.npz", verb) for verb in ("knn", "page"))
    yield from (Case(f"{CELL}/linear.scores.npz", verb) for verb in ("fuse", "compare", "report"))
    yield from (Case(f"{CELL}/linear.json", verb) for verb in ("fuse", "export", "report", "page"))
    yield from (Case(f"{HOME}/run.json", verb) for verb in ("page", "report"))
    yield from (Case(f"{HOME}/curve.jsonl", verb) for verb in ("page", "report", "trace"))
    for name in ("x.npy", "y.npy", "length.npy", "content.npy", "splits.npz", "meta.json"):
        yield from (Case(f"array/{name}", verb) for verb in ("features", "leakage"))
    for name in ("values.bin", "bodies.bin", "index.npy", "meta.json"):
        yield from (
            Case(f"data/sequences/nwucla/{name}", verb) for verb in ("prepare", "labels", "show")
        )
        yield Case(f"data/recordings/nwucla/sequences/{name}", "detection")
    yield from (
        Case(f"data/recordings/nwucla/{name}", "detection") for name in ("meta.json", "times.npy")
    )
    yield Case("labels.json", "semi")
    # What people write by hand or with other programs.
    yield from (Case("params.yaml", verb, False) for verb in ("check", "knn", "fuse"))
    yield from (Case(f"clips/{name}", f"show {name}", False) for name in world.clips())
    yield from (Case("own/own.npy", verb, False) for verb in ("embed", "show own"))
    yield Case("bench.json", "plan", False)
    yield from (Case(f"{side}/v1.txt", "score-detections", False) for side in ("truth", "found"))
    yield from (Case(file, "quote", False) for file in ("page.md", "kept/comparison.csv"))
    yield from (Case("kept/rows.csv", verb, False) for verb in ("rebuild", "compare tables"))


CASES = {f"{case.verb} {case.file.rpartition('s0/')[2]}": case for case in cases()}
FILES = {case.file: case for case in reversed(CASES.values())}  # and the first of its cases
# Nothing tells these from whole files: no epoch is done yet, nothing happens in a video, the table
# or recording is shorter.
WHOLE_WHEN_EMPTY = ("v1.txt",)
WHOLE_WHEN_SHORT = ("joints_s01_e01.txt", "page.md", "params.yaml", "v1.txt")


@pytest.fixture(autouse=True)
def place(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 - 7])


def web_page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><html><body>Sign in to go on</body></html>\n" * 20)


def no_text(path: Path) -> None:
    path.write_bytes(b'{"a": "\xff\xfe\x80"}\xff')


def other_json(path: Path) -> None:
    path.write_text("[]")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to("/proc/self/mem")  # whose first byte even root cannot read


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


class Bomb:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("EXECUTED",)


def pickled(path: Path) -> None:
    """An array of objects, which runs code where it is believed."""
    with open(path, "wb") as stream:
        np.save(stream, np.array([Bomb()], dtype=object), allow_pickle=True)


DAMAGES = (
    empty,
    cut,
    web_page,
    no_text,
    other_json,
    folder,
    link_to_nothing,
    unreadable,
    pipe,
    pickled,
)
FEW = (
    empty,
    folder,
    no_text,
)  # for a second verb that reads the same file: it may read it otherwise than the first


def possible(case: Case, damage: Callable[[Path], None]) -> bool:
    """Whether the damage is to be tried, and can be told."""
    name = case.file.rpartition("/")[2]
    if case != FILES[case.file] and damage not in FEW:
        return False
    return not (
        (damage is empty and name in WHOLE_WHEN_EMPTY)
        or (damage is cut and name in WHOLE_WHEN_SHORT)
    )


def complaint(case: Case, capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with what a verb did about a damaged file; empty if nothing."""
    before = world.held()
    code, said = world.ran(case.words, capsys)
    named = len(said) == 1 and (case.file in said[0] or f" {Path(case.file).parent}: " in said[0])
    if code != 2 or not named or not said[0].startswith(f"pstl {case.words[0]}: "):
        return f"exit code {code}: {said}"
    return f"new: {sorted(world.held() - before)}" if world.held() != before else ""


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_of_any_kind_is_one_line(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with a file is found out by people far away: the line must name it, whatever
    the library under it says.
    """
    case, wrong = CASES[name], {}
    for damage in DAMAGES:
        if possible(case, damage):
            with world.damaged(case.file, damage):
                wrong[damage.__name__] = complaint(case, capsys)
            shutil.rmtree("out", ignore_errors=True)
    assert not {damage: what for damage, what in wrong.items() if what}


@pytest.mark.parametrize("file", FILES)
def test_flipped_bits_are_one_line_or_nothing(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory and disks flip bits: what a checksum covers is refused, what none covers may pass, and
    nothing ends in a traceback.
    """
    case, rng, passed, wrong = FILES[file], random.Random(file), 0, []
    for _ in range(FLIPS):

        def flip(path: Path) -> None:
            content = bytearray(path.read_bytes())
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)

        with world.damaged(file, flip):
            code, said = world.ran(case.words, capsys)
            good = not code or (len(said) == 1 and (file in said[0] or not case.checked))
            wrong += [] if good and code in (0, 2) else [(code, said)]
            passed += code == 0
        shutil.rmtree("out", ignore_errors=True)
    assert not wrong
    assert not (case.checked and passed)


@pytest.mark.parametrize(
    "verb", dict.fromkeys(case.verb for case in CASES.values() if case.verb != "import-weights")
)
def test_whole_files_are_read(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The verbs of this file fail of the damage and of nothing else."""
    code, said = world.ran(world.VERBS[verb], capsys)
    shutil.rmtree("out", ignore_errors=True)
    assert code == 0, said
