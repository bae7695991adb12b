"""How every verb of the command line is parsed, explained and ended."""

import json
import logging
import os
import re
import shlex
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from textwrap import fill
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from pstl import checkout, environment
from pstl.errors import UserError, missing_package, one_line, trouble
from pstl.files import write_json
from pstl.interruption import heeding
from pstl.orphan_guard import follow_snakemake

PAUSE_S = 3.0  # in which torchrun ends the other processes when one of them has failed
CONTINUED = " \\"  # at the end of a line that a shell reads on
FOLLOWED = ("--install-completion", "--show-completion")  # before the verb, by a shell's name
NEXT_WORD = "pstl.next_word"  # key of that name
STANDARD_OUTPUT = "-"  # what an option whose value may be left out stands for without it


class Verb(TyperCommand):
    """A command whose options may be followed by several values, and whose docstring is its help.

    An option that may be repeated takes all words up to the next option: `--archives A B` is
    `--archives A --archives B`. An option whose metavar stands in brackets may come without a
    value: `--json` is `--json -`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words after the verb; what is wrong with them ends it with one line."""
        several: dict[str, bool] = {}
        bracketed: list[str] = []
        for option in self.params:
            if option.multiple:
                needed = option.required or bool(option.default)
                several |= dict.fromkeys(option.opts, needed)
            elif (option.metavar or "").startswith("["):
                bracketed += option.opts
        words = one_value_a_flag(args, several, bracketed)
        single = [flag for option in self.params for flag in option.opts if not option.multiple]
        if twice := next((flag for flag in single if times_given(flag, words) > 1), ""):
            sys.exit(say(f"pstl {ctx.info_name}: {twice} is given twice; keep one of the two", 2))
        try:
            rest = super().parse_args(ctx, words)
        except TyperException as error:
            sys.exit(say(f"pstl {ctx.info_name}: {usage_error(error)}", 2))
        take_project_files(ctx)
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; what a person can put right ends it with one line."""
        with one_line_errors(f"pstl {ctx.info_name}"), heeding():
            follow_snakemake()
            params = ctx.params.get("params") or ctx.params.get("_params") or "params.yaml"
            environment.name_settings(str(params))
            return super().invoke(ctx)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Show the docstring in the width there is; its example can still be typed as it stands."""
        prose, heading, example = (self.help or "").partition("example:\n")
        for paragraph in prose.strip().split("\n\n"):
            formatter.write_paragraph()
            formatter.write(f"{fill(' '.join(paragraph.split()), formatter.width)}\n")
        formatter.write_paragraph()
        formatter.write(heading)
        for command in example.replace("\\\n", " ").splitlines():
            formatter.write(f"{broken_command(command, formatter.width)}\n")


class Program(TyperGroup):
    """All verbs, listed by what they are for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Find the verb. A value after one of FOLLOWED is kept for who reads the flag.

        No option with a value stands before the verb: typer imports pydantic to convert it.
        """
        words = list(args)
        if len(words) > 1 and words[0] in FOLLOWED and _is_value(words[1]):
            ctx.meta[NEXT_WORD] = words.pop(1)
        return super().parse_args(ctx, words)

    def get_params(self, ctx: Any) -> list[Any]:
        """Options before the verb. Off is False: typer imports pydantic to convert a None."""
        params = list(super().get_params(ctx))
        for option in params:
            option.default = option.default or False
        return params

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs of each group with their first sentences."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, verb in self.commands.items():
            assert isinstance(verb, Verb)
            row = (name, verb.short_help or "")
            groups.setdefault(verb.rich_help_panel or "", []).append(row)
        for group, rows in groups.items():
            with formatter.section(group):
                formatter.write_dl(rows)


def broken_command(command: str, width: int) -> str:
    """A command over as many lines as the width asks for, which a shell reads as one.

    >>> print(broken_command("python -m pstl embed --weights FILE", 30))
      python -m pstl embed \\
        --weights FILE
    """
    first, *words = shlex.split(command, posix=False)
    lines = [f"  {first}"]
    for word in words:
        if len(f"{lines[-1]} {word}{CONTINUED}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    return f"{CONTINUED}\n".join(lines)


def take_project_files(ctx: Any) -> None:
    """Give a verb the project's own file where one that it reads by default is not here.

    So params.yaml and what else stands as a default is read in any folder, and said to be.
    """
    for name, value in ctx.params.items():
        is_default = ctx.get_parameter_source(name).name.startswith("DEFAULT")
        if not is_default or not isinstance(value, Path) or os.path.lexists(value):
            continue
        carried = checkout.project() / value
        if carried.exists() and not ctx.resilient_parsing:
            ctx.params[name] = carried
            say(f"pstl {ctx.info_name}: no {value} here; taking {carried}")


def one_value_a_flag(
    words: Sequence[str], several: Mapping[str, bool], bracketed: Collection[str]
) -> list[str]:
    """Words of a command line in which each value has its own flag.

    several: flag that takes any number of values -> whether it needs one at least.
    bracketed: flags whose value may be left out.

    >>> one_value_a_flag(["x", "--archives", "A", "B", "--json"], {"--archives": False}, ["--json"])
    ['x', '--archives', 'A', '--archives', 'B', '--json', '-']
    """
    spelled: list[str] = []
    place = 0
    while place < len(words):
        flag = words[place]
        place += 1
        values = list(takewhile(_is_value, words[place:]))
        if flag == "--":
            return [*spelled, flag, *words[place:]]
        if flag in several:
            place += len(values)
            for value in values:
                spelled += [flag, value]
            if not values and several[flag]:
                spelled.append(flag)  # left to the parser, which says what is missing
        elif flag in bracketed and not values:
            spelled += [flag, STANDARD_OUTPUT]
        else:
            spelled.append(flag)
    return spelled


def times_given(flag: str, words: Sequence[str]) -> int:
    """How often an option stands among the words, with its value behind it or behind a =."""
    options = takewhile(lambda word: word != "--", words)
    return sum(word.partition("=")[0] == flag for word in options)


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """End this process with one line for what a person can put right; anything else is raised.

    Exit codes: 2 for a UserError, a failing disk and a missing package, 130 for Ctrl-C, 1 when
    nobody reads the output any more. Of several processes under torchrun the first one speaks.
    """
    try:
        yield
    except UserError as error:
        if not environment.is_first_process():
            time.sleep(PAUSE_S)  # the first one says the same
        sys.exit(say(one_line(f"{name}: {error}"), 2))
    except KeyboardInterrupt:
        sys.exit(say(f"{name}: interrupted; run the same command again to go on", 130))
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        sys.exit(say(one_line(f"{name}: {trouble(error)}"), 2))
    except ModuleNotFoundError as error:
        sys.exit(say(f"{name}: {missing_package(error)}", 2))
    except Exception:
        if environment.is_one_of_several():
            time.sleep(PAUSE_S)  # another process has died first, and torchrun says which
        raise


def usage_error(error: TyperException) -> str:
    """What was wrong with a command line, in one line with the likely word."""
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    return re.sub(r" \(Possible options: (.*)\)", r". Did you mean \1?", message)


def say(text: str, code: int = 0) -> int:
    """One line to standard error. Returns: the exit code to leave with."""
    sys.stderr.write(text + "\n")
    return code


def write_record(record: Any, place: str) -> None:
    """Write JSON to standard output if `place` is "-", else to the file of this name."""
    if place == STANDARD_OUTPUT:
        sys.stdout.write(json.dumps(record, indent=1) + "\n")
    else:
        write_json(place, record)


def log_to_stderr() -> None:
    """Show progress on standard error; of several processes under torchrun the first one speaks.

    Libraries say nothing below a warning: one of them tells of every letter of a PDF's fonts.
    """
    first = environment.is_first_process()
    level = logging.WARNING if first else logging.ERROR
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    logging.getLogger("pstl").setLevel(logging.INFO if first else logging.ERROR)


def _is_value(word: str) -> bool:
    """Whether a word is a value and no option."""
    return not word.startswith("-") or word == STANDARD_OUTPUT
