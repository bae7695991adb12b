"""Few labels: every method's accuracy at each share of labels, whether it was pre-trained and then fine-tuned or learnt with them."""

import re
from collections.abc import Mapping

from pstl.config import Run
from pstl.report.rows import Results
from pstl.report.tables import Line, headlines

FINE_TUNED = re.compile(r"labels=([\d.]+)(?:;rule=(\w+))?")  # the setting of the task kind `semi`; no rule: psp
OWN = "classify"  # task kind of methods that see the labels of a share from the start
VARIANT = re.compile(r"_\d+$")  # psp_05, psp_15 are psp at two shares


def seen_labels(results: Results) -> dict[str, float]:
    """Method entry -> share of the labels its runs were trained with, for those that had a share."""
    shares = {Run.parse(name).method: record.get("settings", {}).get("labels") for name, record in results.runs.items()}
    return {method: share for method, share in shares.items() if share is not None}


def by_share(lines: list[Line], seen: Mapping[str, float]) -> dict[str, dict[float, Line]]:
    """Name -> share -> top1 of the headline batch norm, joint stream, shares ascending.

    seen: as from seen_labels(). The entries of one method at several shares, psp_05 and psp_15, have one name. Another rule of drawing
    than psp is said in the name.
    """
    found: dict[str, dict[float, Line]] = {}
    for line in headlines(lines):
        if line.metric != "top1" or line.stream != "joint":
            continue
        if match := FINE_TUNED.fullmatch(line.setting):
            name = f"{line.method} ({match[2]})" if match[2] else line.method
            found.setdefault(name, {})[float(match[1])] = line
        elif line.task == OWN and line.method in seen:
            found.setdefault(VARIANT.sub("", line.method), {})[seen[line.method]] = line
    return {name: dict(sorted(shares.items())) for name, shares in found.items()}
