"""Everything this program is told by environment variables, read when it is asked for.

Free of torch: the command line and the workflow's rules ask, too.
"""

import os

SNAKEMAKE = "PSTL_SNAKEMAKE"  # process id of the Snakemake that started this job


def is_one_of_several() -> bool:
    """Whether torchrun started this process, alone or among others."""
    return "RANK" in os.environ


def is_first_process() -> bool:
    """Whether this process speaks for all that torchrun started; true without torchrun."""
    return os.environ.get("RANK", "0") == "0"


def snakemake() -> int | None:
    """Process id of the Snakemake that started this process; None if none did."""
    words = os.environ.get(SNAKEMAKE, "")
    return int(words) if words.isdigit() else None
