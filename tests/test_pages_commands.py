"""Every command that a page tells people to type: typed by a test, or marked with why it is not.

All of them are read as their program reads them, without running it: a verb, a flag, a suite or a
target that is gone fails here.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from own_clips import people
from test_docs import blocks

import pstl
from pstl.cli import VERBS, main, program
from pstl.hub import weights
from pstl.hub.places import HUB
from pstl.train import encoder_file
from website.pages import MARKS

ROOT = Path(__file__).resolve().parents[1]
# Page -> the test that types its unmarked blocks, and those of the mark "ten".
TYPED = {
    "docs/add-a-method.md": "test_docs.py",
    "docs/add-a-data-set.md": "test_docs.py",
    "docs/add-a-task.md": "test_docs.py",
    "docs/add-a-recipe.md": "test_docs.py",
    "docs/suites.md": "test_docs.py",
    "docs/own-data.md": "test_pages_commands.py",
    "docs/use-weights.md": "test_pages_commands.py",
}
SHELLS = ("sh", "bash", "console")
PROGRAMS = ("python", "pstl", "snakemake", "make", "dvc", "pip", "torchrun", "pytest", "mlflow")
OTHERS = ("git", "cd", ".", "export", "mlflow", "nvidia-smi", "kubectl", "sbatch", "apt", "docker")
TYPED_BY_HAND = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")
INDENTED = re.compile(rf"^    ((?:{'|'.join(PROGRAMS)}) .+)$", re.M)
# What pages write where people put a name of theirs.
PLACEHOLDERS = ("NAME", "X", "mine", "mine.yaml", "widths", "FILE")


class Command(NamedTuple):
    """One command of a page."""

    page: str
    words: list[str]
    is_whole: bool = True  # in the text a command may lack what it needs

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def pages() -> list[Path]:
    """README, everything in docs/, and the page of kept results."""
    docs = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", *docs, ROOT / "results/measured/README.md"]


def commands() -> Iterator[Command]:
    """Those of blocks, of indented lines and of the text."""
    for page in pages():
        name = page.relative_to(ROOT).as_posix()
        for block in blocks(page):
            if block.language in SHELLS:
                yield from parsed(name, block.text.replace("\\\n", " ").splitlines(), True)
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
        typed = [line.replace("\n", " ") for line in TYPED_BY_HAND.findall(text)]
        yield from parsed(name, typed + INDENTED.findall(text), False)


def parsed(page: str, lines: list[str], are_whole: bool) -> Iterator[Command]:
    """The commands of lines of a shell."""
    for line in lines:
        line = re.sub(r" > \S+", "", line.partition(" #")[0]).replace("...", "")
        for part in re.split(r" && |; ", line):
            words = shlex.split(part)
            if words and "=" not in words[0]:
                yield Command(page, words, are_whole)


def wrong(command: Command) -> str:
    """What is wrong with a command; empty if nothing is."""
    tool, *words = command.words
    tool = tool.removeprefix(".venv/bin/")
    if tool == "python":
        return wrong_python(words, command.is_whole)
    if tool == "pstl":
        return wrong_verb(words, command.is_whole)
    checks = {"snakemake": wrong_snakemake, "make": wrong_make}
    checks |= {"dvc": wrong_dvc, "pip": wrong_pip, "pytest": wrong_pytest}
    if tool in checks:
        return checks[tool](words)
    if tool == "torchrun":
        return wrong_python(words[words.index("-m") :], command.is_whole)
    return "" if tool in OTHERS else f"unknown program {tool}"


def wrong_python(words: list[str], is_whole: bool) -> str:
    if words[:2] == ["-m", "pstl"]:
        return wrong_verb(words[2:], is_whole)
    if words[:2] == ["-m", "pytest"]:
        return wrong_pytest(words[2:])
    if words[0] == "-m":
        return "" if find_spec(words[1]) or words[1] == "mkdocs" else f"no module {words[1]}"
    return "" if (ROOT / words[0]).is_file() else f"no file {words[0]}"


def wrong_verb(words: list[str], is_whole: bool) -> str:
    """Verb and options; without a verb, an option of the program itself."""
    group = program()
    if not words:
        return ""
    verb, *rest = words
    if verb.startswith("-"):
        own = {flag for option in group.params for flag in option.opts}
        return "" if verb in own | {"-h", "--help"} else f"no option {verb}"
    verbs = {name for of_group in VERBS.values() for name in of_group}
    if missing := set(verb.split("|")) - verbs:
        return f"no verb {missing}"
    if "|" in verb or not rest or "--help" in rest:
        return ""
    with group.make_context("pstl", [], resilient_parsing=True) as above:
        function = group.get_command(above, verb)
        flags = {flag for option in function.params for flag in option.opts}
        if unknown := {word for word in rest if word.startswith("--")} - flags:
            return f"no option {unknown}"
        if is_whole:
            try:
                function.make_context(verb, rest, parent=above)
            except SystemExit as error:
                return f"refused: {error}"
    return ""


def wrong_snakemake(words: list[str]) -> str:
    cli = pytest.importorskip("snakemake.cli")
    try:
        cli.get_argument_parser().parse_args(["1" if word == "N" else word for word in words])
    except SystemExit:
        return "refused by snakemake"
    for word in words:
        if word.startswith("suite=") and (gone := no_suite(word.removeprefix("suite="))):
            return gone
        if word.startswith("profiles/") and not (ROOT / word).is_dir():
            return f"no {word}"
    return ""


def no_suite(name: str) -> str:
    kept = name in PLACEHOLDERS or (ROOT / "suites" / f"{name}.yaml").is_file()
    return "" if kept else f"no suite {name}"


def wrong_make(words: list[str]) -> str:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for word in words:
        if word.startswith("SUITE="):
            if gone := no_suite(word.removeprefix("SUITE=")):
                return gone
        elif "=" not in word and not word.startswith("-") and word not in targets:
            return f"no target {word}"
    return ""


def wrong_dvc(words: list[str]) -> str:
    cli = pytest.importorskip("dvc.cli")
    if words[:2] == ["remote", "modify"]:  # named without its arguments
        return ""
    try:
        cli.parse_args(words)
    except cli.DvcParserError:
        return "refused by dvc"
    return ""


def wrong_pip(words: list[str]) -> str:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    asked = re.findall(r"\[([\w,-]+)\]", " ".join(words))
    missing = {name for extra in asked for name in extra.split(",")} - extras.keys()
    return f"no extra {missing}" if missing else ""


def wrong_pytest(words: list[str]) -> str:
    files = [word for word in words if word.startswith("tests/")]
    gone = [file for file in files if not (ROOT / file).exists() and "arrow" not in file]
    return f"no {gone}" if gone else ""


def test_every_command_is_one_that_its_program_takes(capfd: pytest.CaptureFixture[str]) -> None:
    """People copy commands; one that its program refuses ends their visit."""
    listed = list(commands())
    assert len(listed) > 100  # the search itself finds them
    failed = [f"{command}: {said}" for command in listed if (said := wrong(command))]
    capfd.readouterr()
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize(
    "line",
    [
        "python -m pstl embedd --weights w",
        "python -m pstl embed --weight w --input i --output o",
        "snakemake --cores all --config suite=nosuch",
        "snakemake --coress 2",
        "make nosuch",
        "pip install '.[nosuch]'",
        "python workflow/nosuch.py",
        "rm -r data",
    ],
)
def test_a_wrong_command_is_told(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A check that takes everything holds nothing."""
    assert wrong(Command("page", shlex.split(line)))


def test_every_block_of_commands_is_typed_or_says_why_not() -> None:
    """A reader should know which commands need recordings or hours before typing them."""
    for page in pages():
        name = page.relative_to(ROOT).as_posix()
        for block in blocks(page):
            if block.language not in SHELLS:
                continue
            assert block.word in ("", *MARKS), f"{name}: unknown mark {block.word}"
            if block.word in ("", "ten"):
                assert name in TYPED, f"{name}: typed by no test; mark it with one of {list(MARKS)}"
    for name, test in TYPED.items():
        assert name in (ROOT / "tests" / test).read_text()


def test_no_block_of_commands_goes_without_its_language() -> None:
    """A block without a language is read by no test, and coloured by no code host."""
    program_first = re.compile(rf"^```\n(?:{'|'.join(PROGRAMS)}) ", re.M)
    bare = [str(page) for page in pages() if program_first.search(page.read_text())]
    assert not bare


@pytest.mark.parametrize("page", ["docs/own-data.md", "docs/use-weights.md"])
def test_clips_are_encoded_and_named_as_the_pages_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Both doors, typed from top to bottom: what the one wrote the other reads."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    np.save("clips/wave.npy", people()[:, :, 0])
    card, encoder, _ = weights.read(HUB / "synthetic/simclr")
    encoder_file.save("encoder.pt", card, encoder)
    names: dict[str, object] = {}
    for block in blocks(ROOT / page):
        if block.language == "python":
            exec(block.text, names)
        elif block.language == "sh" and not block.word:
            for line in block.text.splitlines():
                main(shlex.split(line)[3:])
    assert isinstance(names["encoder"], pstl.Embedder)
