"""Every byte of what a job reads: flipped bits and cut ends, each refused in one line that names
the file."""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import drilling
import pytest
import simulated
import small_world as world
import yaml
from test_damaged_files import FILES

from pstl.data.datasets import ntu60, synthetic

pytestmark = pytest.mark.drills
FLIPS, CUTS = 500, 100  # of each file
RAW = "data/raw/ntu60"


def parse(name: str) -> list[str]:
    return f"parse {name} --raw data/raw/{name} --out out/s --jobs 1".split()


LOOSE, PACKED = "S001C001P001R001A001.skeleton", ntu60.DATASET.spec.remotes[0].filename
# What is read by which words: all that has a checksum, and what is fetched.
WORDS = {
    **{file: case.words for file, case in FILES.items() if case.checked},
    "data/raw/synthetic/manifest.json": parse("synthetic"),
    f"data/raw/synthetic/{LOOSE}": parse("synthetic"),
    f"{RAW}/manifest.json": parse("ntu60"),
    f"archives/{PACKED}": parse("ntu60"),
}


def kind(file: str) -> str:
    """What a file is, for the table."""
    return "/".join(file.split("/")[-2:])


@pytest.fixture(autouse=True)
def place(small: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small world, and recordings that were fetched: loose ones, and some in an archive."""
    monkeypatch.chdir(small)
    if not Path(RAW).exists():
        settings = yaml.safe_load(Path("params.yaml").read_text())
        settings["datasets"] = {
            "synthetic": {
                "performers": 2, "cameras": 1, "repetitions": 1,
                "actions": list(synthetic.CLASSES[:2]),
            }
        }  # fmt: skip
        settings["datasets"]["ntu60"] = {"wrong_counts": "warn"}
        Path("params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        names = simulated.ntu_names((1,), (1,), (1, 13))
        folder = Path("archives")
        folder.mkdir()
        clips = {f"{name}.skeleton": simulated.ntu_clip(name, frames=(4, 6)) for name in names}
        simulated.write_zip(folder / PACKED, clips)
        world.pstl("fetch", "ntu60", "--out", RAW, "--archives", folder)
        world.pstl("fetch", "synthetic", "--out", "data/raw/synthetic")
        for name in ("ntu60", "synthetic"):
            world.pstl(*parse(name))  # whole they are read
    yield
    shutil.rmtree("out", ignore_errors=True)


def flip(rng: random.Random) -> Callable[[Path], None]:
    """One bit is another."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

    return damage


def cut(rng: random.Random) -> Callable[[Path], None]:
    """The end is missing."""

    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: rng.randrange(len(content))])

    return damage


def judged(file: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a verb did about a damaged file: refused, silent, nameless."""
    before = world.held()
    code, said = world.ran(words, capsys)
    if code == 0:
        return "silent"
    beside = f" {Path(file).parent}: "  # meta.json stands for its folder
    named = bool(said) and (file in said[-1] or beside in said[-1])
    alone = not any("Traceback" in line for line in said)
    whole = world.held() == before
    return "refused" if code == 2 and named and alone and whole else "nameless"


@pytest.mark.parametrize("file", WORDS)
def test_no_flip_and_no_cut_is_silent_or_nameless(
    file: str, capsys: pytest.CaptureFixture[str], record_property
) -> None:
    """One flipped bit of a label went through every step, and got a fresh checksum."""
    rng, words = random.Random(file), WORDS[file]
    wrong = []
    for name, number, how in (("flips", FLIPS, flip), ("cuts", CUTS, cut)):
        ends: Counter[str] = Counter()
        for _ in range(drilling.times(number)):
            with world.damaged(file, how(rng)):
                end = judged(file, words, capsys)
            ends[end] += 1
            shutil.rmtree("out", ignore_errors=True)
        tried = sum(ends.values())
        missed = f"{ends['silent']} silent, {ends['nameless']} nameless"
        drilling.tell(record_property, f"{name}: {kind(file)}", tried, ends["refused"], missed)
        wrong += [name] if ends["refused"] != tried else []
    assert not wrong
