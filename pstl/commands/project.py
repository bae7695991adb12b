"""The verb that makes a folder to work in."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from pstl.commands.verb import say


def init(
    folder: Annotated[Path, Argument(metavar="FOLDER", help="A folder that is new, or empty.")],
) -> None:
    """Write a project: Snakefile, params.yaml and suites to edit.

    The rules stay those of the installed package.

    example:
      python -m pstl init my-project
    """
    from pstl.new_project import init

    say(f"{folder}: a project is here; next: {init(folder)}")
