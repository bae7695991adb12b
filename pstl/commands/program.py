"""Options that stand before the verb: the version, and completion with the tab key."""

import sys
from typing import Annotated

from typer import Context, Exit, Option

from pstl.commands.verb import NEXT_WORD
from pstl.errors import UserError

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def version_text() -> str:
    """Of this package and what it computes with, what its code is, and the machine.

    Free of torch, which says more of a GPU and takes seconds to be asked.
    """
    from pstl import __version__
    from pstl.provenance import git_hash, machine, versions
    from pstl.train.devices import present

    gpus = len(present())
    libraries = ", ".join(f"{name} {number}" for name, number in versions().items())
    device = f"{gpus} GPU{'s' if gpus != 1 else ''}; {machine()}"
    return f"pstl {__version__}\ncode {git_hash()}\n{libraries}\ndevice {device}\n"


def options_before_the_verb(
    version: Annotated[
        bool,
        Option(
            "--version",
            callback=lambda asked: _show_version(asked),
            is_eager=True,
            help="Show versions, commit and device, and exit.",
        ),
    ] = False,
    install_completion: Annotated[
        bool,
        Option(
            "--install-completion",
            callback=lambda ctx, asked: _install_completion(ctx, asked),
            is_eager=True,
            help="Complete verbs and flags with the tab key. A shell may follow: "
            f"{', '.join(SHELLS)}.  [default: the one around this]",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        Option(
            "--show-completion",
            callback=lambda ctx, asked: _show_completion(ctx, asked),
            is_eager=True,
            help="Show what --install-completion would install.",
        ),
    ] = False,
) -> None:
    """Self-supervised learning on human skeleton sequences, compared.

    Every verb goes from files to files; `pstl VERB --help` explains one. Progress goes to
    standard error.
    """


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(version_text())
        raise Exit


def _install_completion(ctx: Context, asked: bool) -> None:
    if asked:
        from typer.completion import install  # type: ignore[attr-defined]

        name, place = install(shell=_shell(ctx), prog_name="pstl")
        sys.stdout.write(f"{place}: completion for {name}; it works in the next terminal\n")
        raise Exit


def _show_completion(ctx: Context, asked: bool) -> None:
    if asked:
        from typer.completion import get_completion_script  # type: ignore[attr-defined]

        script = get_completion_script(
            prog_name="pstl", complete_var="_PSTL_COMPLETE", shell=_shell(ctx)
        )
        sys.stdout.write(f"{script}\n")
        raise Exit


def _shell(ctx: Context) -> str:
    """The shell that was named, or the one around this process.

    Raises: UserError for another one.
    """
    name = ctx.meta.get(NEXT_WORD)
    if name is None:
        from shellingham import ShellDetectionFailure, detect_shell

        try:
            name = detect_shell()[0]
        except ShellDetectionFailure:
            raise UserError(f"no shell around this; name one: {', '.join(SHELLS)}") from None
    if name not in SHELLS:
        raise UserError(f"shell {name!r}: unknown; known: {', '.join(SHELLS)}")
    return str(name)
