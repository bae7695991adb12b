"""What is typed reaches the library as it was typed: several values, none, mistyped words, help."""

import re
import shlex
import subprocess
import sys

import pytest

from pstl import cli
from pstl.commands.verb import broken_command


def parsed(line: str) -> dict:
    """Values that a verb gets, by parameter."""
    verb, *words = line.split()
    return cli.program().commands[verb].make_context(verb, words).params


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error of a command line that cannot be understood."""
    with pytest.raises(SystemExit) as stop:
        cli.main(line.split())
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    (message,) = output.err.splitlines()
    return message


FUSE = "fuse --run R --task linear --batch-norm released --out F"
TRACE = "trace --run R --snapshots Z --array A --out T"
DETECTIONS = "score-detections TRUTH FOUND"


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("fetch nwucla --out O --archives A B", "archives", ("A", "B")),
        ("fetch nwucla --archives A --archives B C --out O", "archives", ("A", "B", "C")),
        ("fetch nwucla --out O --archives", "archives", ()),
        ("fetch nwucla --archives=A --out O", "archives", ("A",)),
        (f"{FUSE} --scores joint=a bone=b", "scores", ("joint=a", "bone=b")),
        (f"{TRACE} --tasks knn", "tasks", ("knn",)),
        (TRACE, "tasks", ("knn", "linear")),
        ("quote A B", "pages", ("A", "B")),
        ("rebuild A", "folders", ("A",)),
        ("doctor", "targets", ()),
        ("doctor ntu60 a.zip --archives A B --json", "targets", ("ntu60", "a.zip")),
        ("bench --method pstl --method psp", "method", ("pstl", "psp")),
        ("bench --search 40000 10000", "search", ("40000", "10000")),
    ],
)
def test_options_and_arguments_take_several_values(line, name, expected):
    """Rules and people name folders, streams and tasks in a row, or each with its own flag."""
    assert tuple(map(str, parsed(line)[name] or ())) == expected


@pytest.mark.parametrize("line", ["compare A B", DETECTIONS])
def test_json_goes_to_standard_output_or_to_a_file(line):
    """`--json` at the end of a line, before another option and with a file are three wishes."""
    assert parsed(line)["json"] is None
    assert parsed(f"{line} --json")["json"] == "-"
    assert parsed(f"{line} --json --params p.yaml")["json"] == "-"
    assert parsed(f"{line} --json -")["json"] == "-"
    assert parsed(f"{line} --json F")["json"] == "F"
    assert parsed(f"{line} --json=F")["json"] == "F"


def test_flags_that_are_not_given_differ_from_those_that_are():
    """--skip-damaged overrides params.yaml, which decides where nothing was typed."""
    assert parsed("parse nwucla --raw R --out O")["skip_damaged"] is None
    assert parsed("parse nwucla --raw R --out O --skip-damaged")["skip_damaged"] is True


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chek", "pstl: No such command 'chek'. Did you mean 'check'?"),
        ("fetch --archve x", "pstl fetch: No such option: --archve. Did you mean --archives?"),
        ("fetch nwucla", "pstl fetch: Missing option '--out'."),
        (f"{FUSE} --scores", "pstl fuse: Option '--scores' requires an argument."),
        (f"{TRACE} --tasks", "pstl trace: Option '--tasks' requires an argument."),
        ("quote", "pstl quote: Missing argument 'PAGE...'."),
        ("list more", "pstl list: Got unexpected extra argument(s) (more)"),
        (
            "evaluate --run A --run B --task knn --batch-norm released --out F",
            "pstl evaluate: --run is given twice; keep one of the two",
        ),
        (
            "check --suite=A --suite B",
            "pstl check: --suite is given twice; keep one of the two",
        ),
        (
            "features --batch-norm x",
            "pstl features: Invalid value for '--batch-norm': "
            "'x' is not one of 'released', 'recalibrated'.",
        ),
    ],
)
def test_a_mistyped_line_is_one_line_with_the_likely_word(line, message, capsys):
    """Two screens of usage hide what was wrong."""
    assert refused(line, capsys) == message


@pytest.mark.parametrize("verb", ["", *sorted(cli.program().commands)])
def test_help_fits_a_terminal_and_has_no_markup(verb, capsys):
    """80 columns are what a terminal has, and logs show escape codes as rubbish."""
    with pytest.raises(SystemExit):
        cli.main([*verb.split(), "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert not any(character in text for character in "\x1b╭│")


@pytest.mark.parametrize("verb", ["", *sorted(cli.program().commands)])
def test_help_can_be_read_in_half_a_screen(verb, monkeypatch, capsys):
    """An editor's terminal beside the code has 60 columns; what cannot be broken may be longer."""
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        cli.main([*verb.split(), "--help"])
    long = [line for line in capsys.readouterr().out.splitlines() if len(line) > 60]
    assert not [line for line in long if len(line.removesuffix(" \\").split()) > 1]


@pytest.mark.parametrize("verb", ["", *sorted(cli.program().commands)])
def test_every_option_and_argument_is_explained(verb):
    """A flag without a word is one that nobody but its author uses."""
    params = cli.program().commands[verb].params if verb else cli.program().params
    assert params or verb in ("list",)
    silent = [each.name for each in params if not each.hidden and not (each.help or "").strip()]
    assert not silent


def test_an_example_broken_into_lines_is_the_same_command():
    """One copies it out of the help."""
    line = "python -m pstl compare 'a/b c' --weights averylongnamethatcannotbebroken x"
    for width in (20, 40, 80):
        broken = broken_command(line, width)
        assert shlex.split(broken.replace("\\\n", " ")) == shlex.split(line)
    assert broken == f"  {line}"


def test_the_five_verbs_of_every_day_stand_first():
    """A newcomer reads the first screen."""
    group, verbs = next(iter(cli.VERBS.items()))
    assert (group, len(verbs)) == ("Every day", 5)


@pytest.mark.parametrize("flag", ["--install-completion", "--show-completion"])
def test_completion_is_for_the_shell_that_is_named(flag, monkeypatch, tmp_path, capsys):
    """Who writes another shell's name has another shell: a mistyped one is refused."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        cli.main([flag, "fish"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    if flag == "--install-completion":
        shown = (tmp_path / ".config/fish/completions/pstl.fish").read_text()
    assert "complete --command pstl" in shown
    message = "pstl: shell 'fsh': unknown; known: bash, zsh, fish, powershell, pwsh"
    assert refused(f"{flag} fsh", capsys) == message


def test_the_version_says_code_libraries_and_device(capsys):
    """What a report of a mistake must begin with."""
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    first, code, libraries, device = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"pstl \d+\.\d+\.\d+", first)
    assert re.fullmatch(r"code [0-9a-f]{12}(-dirty)?|code \S+\+installed\.\S+", code)
    assert libraries.startswith("python 3.")
    assert "torch 2." in libraries
    assert re.fullmatch(r"device \d+ GPUs?; .*cores", device)


def test_every_verb_stands_in_one_group_with_a_line_of_its_own(capsys):
    """The overview is where one looks for a verb whose name one does not know."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    first_words = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    for group, verbs in cli.VERBS.items():
        assert f"{group.split()[0]}" in {word.rstrip(":") for word in first_words}
        for verb in verbs:
            assert first_words.count(verb) == 1


def test_help_version_and_completion_load_neither_pydantic_nor_rich():
    """Who asks for a word waits for typer alone: the libraries of the work stay out."""
    code = (
        "import sys; from pstl import cli\n"
        "for words in (['--help'], ['--version'], ['pretrain', '--help']):\n"
        "    try: cli.main(words)\n"
        "    except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'yaml', 'pydantic', 'rich', 'mlflow'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage: pstl") == 2


def test_libraries_do_not_talk_of_their_progress() -> None:
    """A figure for a paper came with thousands of lines about the letters of its fonts."""
    code = (
        "import logging\n"
        "from pstl.commands.verb import log_to_stderr\n"
        "log_to_stderr()\n"
        "for name in ('fontTools.subset', 'pstl.train.loop'):\n"
        "    logging.getLogger(name).info('progress of ' + name)\n"
        "logging.getLogger('fontTools.subset').warning('broken font')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines() == ["progress of pstl.train.loop", "broken font"]


@pytest.mark.parametrize(
    ("words", "expected"), [("pstl che", "check"), ("pstl fuse --sc", "--scores")]
)
def test_the_shell_completes_verbs_and_flags(words, expected, monkeypatch, capsys):
    """What `--install-completion` puts into a shell asks this program so."""
    monkeypatch.setenv("_PSTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        cli.main([])
    assert expected in capsys.readouterr().out.split()
