"""What stands before the rules in workflow/: options, settings that are checked, a shell prologue.

Free of torch, unless settings are checked that never passed.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import VERSION as PYDANTIC

from pstl import config
from pstl.code_hash import package_hash
from pstl.config import Params, digest
from pstl.environment import SNAKEMAKE
from pstl.errors import UserError, one_line
from pstl.files import Kind, read_text, write_text

RECORD = Kind("record of settings that were checked", "remove it")
OPTIONS = ("suite", "params", "container", "archives")
IMAGE = re.compile(r"[\w./:@+-]*", re.ASCII)  # a file, or an address of an image
# Verbs that import torch, many times a run: they are forked off a process that has imported it.
FORKED = ("pretrain", "features", "evaluate", "fuse")


class Options(NamedTuple):
    """What `snakemake --config` was given. params: settings file.   suite: "" for the file's own.

    archives: folders; None: those of the settings file.   container: image that jobs run in where
        Snakemake is told --sdm apptainer; empty: none.
    """

    params: str = "params.yaml"
    suite: str = ""
    container: str = ""
    archives: tuple[str, ...] | None = None

    @property
    def settings(self) -> str:
        """What every job is given as --params: also the suite's file, where it lies elsewhere."""
        return config.params_with(os.path.abspath(self.params), self.suite)


def options(given: Mapping[str, Any]) -> Options:
    """Options from --config, which is YAML: a folder's name may have become a number or a date.

    Raises: UserError for an unknown key, or a value that is no name.
    """
    if unknown := set(given) - set(OPTIONS):
        keys = "suite=NAME, params=FILE, archives=FOLDER, container=IMAGE"
        raise UserError(f"--config {', '.join(sorted(unknown))}: unknown; known: {keys}")
    folders = given.get("archives") or []
    archives = folders if isinstance(folders, list) else [folders]
    names = [(key, given[key]) for key in OPTIONS[:-1] if key in given]
    for key, value in [*names, *(("archives", folder) for folder in archives)]:
        if not isinstance(value, str):
            kind = type(value).__name__
            hint = f"expected a name; put it in quotes: '{key}=\"{value}\"'"
            raise UserError(f"--config {key}={value}: read as {kind}, {hint}")
    chosen = tuple(archives) if "archives" in given else None
    words = dict(names)
    image = words.get("container", "")
    if not IMAGE.fullmatch(image):
        raise UserError(
            f"--config container={image}: expected a file or an address of an image (letters,"
            " digits and . / : @ _ + -)"
        )
    return Options(**words, archives=chosen)


def load_checked(given: Mapping[str, Any], plugins: bool) -> tuple[Options, Params, str]:
    """Options, settings and the suite to run, checked before the first job.

    given: of --config.   plugins: check the settings of plug-ins, too.
    A UserError becomes one line and exit code 2.
    """
    try:
        chosen = options(given)
        params = config.load(chosen.settings)
        suite = config.suite_name(chosen.suite or params.suite)
        params.grid(suite)
        config.check_imported(params, params.sound_suites())
        config.check_own_data(params, suite)
        if plugins:
            check_plugins_once(params, suite)
    except UserError as error:
        sys.stderr.write(one_line(f"pstl: {error}") + "\n")
        raise SystemExit(2) from None
    return chosen, params, suite


def check_plugins_once(params: Params, suite: str) -> None:
    """Check the settings of plug-ins, which imports torch, unless they passed with this code.

    Raises: UserError naming the key, what was found and what was expected.
    """
    state = digest([params.content(suite), suite, package_hash(), PYDANTIC])
    record = Path(".snakemake", f"checked-{suite}")
    if record.exists() and read_text(record, RECORD) == state:
        return
    config.check_plugins(params, suite)
    write_text(record, state)


def fork_socket() -> str:
    """Where workflow/preloaded.py serves this Snakemake: short, as sockets must be named."""
    return f".snakemake/fork-{os.getpid()}"


def prologue(options: Options, params: Params, root: str, stored: bool) -> str:
    """What stands before every shell line of a rule, so that the line can also be typed by hand.

    The user's options are here and not in the rules: they say where settings and archives lie, not
    what they are, so changing them is no reason to run a job again.
    root: folder of the Snakefile.   stored: jobs work on local copies of what object storage holds.
    """
    settings = shlex.quote(options.settings)
    folders = params.archives if options.archives is None else options.archives
    archives = f" --archives {shlex.join(folders)}" if folders else ""
    forked = f'{"|".join(FORKED)}) python+=(-IS "$preloaded" run {fork_socket()});;'
    path = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH;"
    if options.container:  # inside, jobs run under the image's Python, and fork nothing outside
        inside = '"${APPTAINER_CONTAINER:-${SINGULARITY_CONTAINER:-}}"'
        path = f"[ -n {inside} ] || {path}"
    lines = [
        # a failing command fails its job although its output goes through tee
        "set -euo pipefail;",
        # jobs run under the Python that runs Snakemake
        path,
        # workflow/resume.py knows by this whose jobs outlived a killed Snakemake
        f"export {SNAKEMAKE}={os.getpid()};",
        f"preloaded={shlex.quote(root)}/workflow/preloaded.py;",
        "pstl() { local python=(python); case $1 in",
        f'fetch|import-run) set -- "$@"{archives};;',
        # a pod has no more than the package
        "esac;" if stored or options.container else f"{forked} esac;",
        f'"${{python[@]}}" -m pstl "$1" --params {settings} "${{@:2}}"; }};',
    ]
    if stored:  # what reads a whole suite goes to the copies' folder; MLflow's own store stays here
        lines += [
            f"export PYTHONPATH={shlex.quote(root)}${{PYTHONPATH:+:$PYTHONPATH}};",
            'export MLFLOW_TRACKING_URI="${MLFLOW_TRACKING_URI:-sqlite:///$PWD/mlflow.db}";',
        ]
    return " ".join(lines) + " "
