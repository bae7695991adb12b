"""A folder to work in: settings and suites that one edits, and the rules of the installed pstl."""

from importlib.util import find_spec
from pathlib import Path

from pstl import __version__, checkout
from pstl.errors import UserError
from pstl.files import Kind, read_text, write_text

PART = Kind("readable file of the package", "install it again", "install it again")
COPIED = ("params.yaml", "suites/*.yaml", "profiles/default/*.yaml", "profiles/slurm/*.yaml")
EMPTY_ENOUGH = {".git"}  # may lie in a folder that is made a project
SNAKEFILE = """\
# The rules are those of the installed pstl; what they run stands in params.yaml and suites/.
from pstl import checkout


include: str(checkout.project() / "Snakefile")


rule tables:
    default_target: True
    input:
        rules.all.input,
"""
IGNORED = """\
/data/
/results/
/.snakemake/
/mlflow.db*
/mlruns/
/settings.schema.json
__pycache__/
"""
README = """\
# {name}

Made by `pstl init` of pstl {version}; `pip install 'pstl[workflow]'` has all that it needs.

    snakemake --cores 2                       # the suite that params.yaml names, to results/SUITE/
    snakemake --cores 2 --config suite=NAME   # another one of suites/; -n lists its jobs
    pstl check                                # settings and suites; pstl plan NAME: what one costs

Experiments are files in `suites/`, settings of methods and tasks stand in `params.yaml`; the rules
are the package's, so that a newer pstl brings newer ones. After a kill: `snakemake --unlock`.
"""


def init(folder: Path) -> str:
    """Write a project: Snakefile, profiles, params.yaml, suites/, .gitignore, README.md.

    Returns: what to type next.
    Raises: UserError if there is something in the folder already, or it cannot be written.
    """
    if folder.is_dir() and (there := {path.name for path in folder.iterdir()} - EMPTY_ENOUGH):
        raise UserError(f"{folder}: not empty, there is {min(there)}; name a folder that is new")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: a file stands there; name a folder that is new")
    for name, text in _files(folder.resolve().name).items():
        write_text(folder / name, text)
    needed = "" if find_spec("snakemake") else "pip install 'pstl[workflow]'; "
    return f"{needed}cd {folder}; snakemake --cores 2"


def _files(name: str) -> dict[str, str]:
    """Place in the project -> text."""
    root = checkout.project()
    copied = [path for pattern in COPIED for path in sorted(root.glob(pattern))]
    return {
        "Snakefile": SNAKEFILE,
        ".gitignore": IGNORED,
        "README.md": README.format(name=name, version=__version__),
        **{path.relative_to(root).as_posix(): read_text(path, PART) for path in copied},
    }
