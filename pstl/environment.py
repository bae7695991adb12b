"""Everything this program is told, and tells its children, by environment variables.

Each is read when it is asked for. Free of torch: the command line and the rules ask, too.
"""

import os
from collections.abc import Mapping, Sequence

from pstl.errors import UserError

SNAKEMAKE = "PSTL_SNAKEMAKE"  # process id of the Snakemake that started this job
FRESH_JOBS = "PSTL_FRESH_JOBS"  # set by who wants every job to import everything itself
HIDE_GPUS = "PSTL_HIDE_GPUS"  # set on clusters: GPUs are for those that asked the queue for them
JOBS_PER_GPU = "PSTL_JOBS_PER_GPU"  # jobs that may share a device
PATIENCE = "PSTL_PATIENCE_S"  # seconds that processes which train together wait for each other
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
TRACKING_STORE = "MLFLOW_TRACKING_URI"
CACHE = "PSTL_CACHE"  # folder of downloaded weights, if not the user's usual one
USERS_CACHE = "XDG_CACHE_HOME"
SETTINGS = "PSTL_SETTINGS"  # files of settings, which may declare data sets, as config.load() takes

LONGEST_S = 366 * 24 * 3600.0  # what other processes are waited for at most


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_one_of_several() -> bool:
    """Whether this process has a number among others that train with it."""
    return "RANK" in os.environ


def is_first_process() -> bool:
    """Whether this process speaks for all that train together; true for one alone."""
    return os.environ.get("RANK", "0") == "0"


def processes() -> int:
    """How many processes train together."""
    return _count("WORLD_SIZE", "1")


def patience_s() -> float:
    """Seconds after which a process that trains with others and does not answer counts as gone."""
    written = os.environ.get(PATIENCE, "600")
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_S:
        raise UserError(
            f"{PATIENCE}={written[:40]!r}: expected seconds, above 0 and at most a year"
        )
    return seconds


def local_rank() -> int:
    """Number of this process among those on this machine."""
    return _count("LOCAL_RANK", "", least=0)


def snakemake() -> int | None:
    """Process id of the Snakemake that started this process; None if none did."""
    words = os.environ.get(SNAKEMAKE, "")
    return int(words) if words.isdigit() else None


def are_jobs_fresh() -> bool:
    """Whether no job is to be forked off a process that has imported torch."""
    return FRESH_JOBS in os.environ


def visible_gpus() -> list[str] | None:
    """Names or numbers of the GPUs that CUDA may see; None: all."""
    listed = os.environ.get(VISIBLE_GPUS)
    if listed is None:
        return None
    return [word for word in listed.replace(" ", "").split(",") if word]


def show_gpus(names: Sequence[str]) -> None:
    """Let CUDA, which has not started yet, see these GPUs and no others."""
    os.environ[VISIBLE_GPUS] = ",".join(names)


def are_gpus_hidden() -> bool:
    """Whether a job that asked for no GPU must not see those that are there."""
    return HIDE_GPUS in os.environ


def jobs_per_gpu() -> int:
    """How many jobs may share a device."""
    return _count(JOBS_PER_GPU, "1")


def tracking_store() -> str:
    """Address of the tracking store; empty if nobody names one."""
    return os.environ.get(TRACKING_STORE, "")


def cache_folder() -> str:
    """Where downloads of a user, and not of a project, are kept."""
    usual = os.environ.get(USERS_CACHE) or os.path.join("~", ".cache")
    return os.path.expanduser(os.environ.get(CACHE) or os.path.join(usual, "pstl"))


def settings_files() -> list[str]:
    """The files of settings that this process works with, params.yaml first; [] if it has none."""
    return [path for path in os.environ.get(SETTINGS, "").split(os.pathsep) if path]


def name_settings(paths: str) -> None:
    """Let this process and its children know the files of settings, behind colons."""
    files = [os.path.abspath(path) for path in paths.split(os.pathsep) if path]
    os.environ[SETTINGS] = os.pathsep.join(files)


def set_defaults(variables: Mapping[str, str]) -> None:
    """Set variables that nobody has set, for libraries that read them later."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _count(name: str, usual: str, least: int = 1) -> int:
    """A variable that is a number. Raises: UserError if it is something else."""
    written = os.environ.get(name, usual)
    is_number = written.isascii() and written.isdecimal() and len(written) < 7
    if not is_number or int(written) < least:
        raise UserError(f"{name}={written[:40]!r}: expected a whole number of at least {least}")
    return int(written)
