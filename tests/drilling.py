"""How often a drill is repeated, and what is said of it at the end.

`pytest -m drills` repeats each as often as it says; PSTL_DRILLS=0.1 a tenth as often.
"""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = float(os.environ.get("PSTL_DRILLS", "1"))
KEY = "drill"  # of a test's property: (kind, tried, survived, what became of it)
Record = Callable[[str, object], None]


def times(number: int) -> int:
    """How often, in this call, what is to be done so often."""
    return max(1, math.ceil(number * SHARE))


def tell(record: Record, kind: str, tried: int, survived: int, ends: str = "") -> None:
    """Have a line of the table at the end of the call say so.

    ends: how what was tried ended, for people.
    """
    record(KEY, (kind, tried, survived, ends))


def table(told: list[tuple[str, int, int, str]]) -> list[str]:
    """The lines of the table."""
    rows = [("drill", "tried", "survived", "")]
    rows += [(kind, str(tried), str(survived), ends) for kind, tried, survived, ends in told]
    totals = (str(sum(row[1] for row in told)), str(sum(row[2] for row in told)))
    rows.append(("all", *totals, ""))
    width = max(len(row[0]) for row in rows)
    return [
        f"{kind:<{width}}  {tried:>6}  {survived:>8}  {ends}".rstrip()
        for kind, tried, survived, ends in rows
    ]


@contextmanager
def load() -> Iterator[None]:
    """The machine at work on something else while the body runs: as many busy processes as cores,
    and one more; no children of multiprocessing, among which a drill looks for its victims."""
    count = len(os.sched_getaffinity(0)) + 1
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10_000))"
    command = [sys.executable, "-c", code]  # which end with the drill, however that ends
    busy = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
