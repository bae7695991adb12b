"""Remove what killed jobs left in data/ and results/: files and folders that were never finished,
and locks that nobody holds. What is finished stays, and so does what training goes on from.

Usage: python workflow/clean.py, in the folder that was run in; `make clean` does.
"""

import sys
from pathlib import Path

from pstl.leftovers import sweep


def main() -> None:
    """Sweep, and say what is gone."""
    for name in ("data", "results"):
        for path in sweep(Path(name)):
            sys.stderr.write(f"removed: {path}\n")


if __name__ == "__main__":
    main()
