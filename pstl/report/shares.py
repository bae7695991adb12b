"""Few labels: every method's accuracy at each share of labels, whether it was pre-trained and then fine-tuned or learnt with them."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pstl.config import DEFAULT_RULE, Run
from pstl.report.rows import Results
from pstl.report.tables import Line, headlines

FINE_TUNED = re.compile(
    r"labels=([\d.]+)(?:;rule=(\w+))?"
)  # the setting of `semi`; older ones, all psp, name no rule
OWN = "classify"  # task kind of methods that see the labels of a share from the start
VARIANT = re.compile(r"_\d+$")  # psp_05, psp_15 are psp at two shares


class Seen(NamedTuple):
    """The labels that a method learnt from: their share of the training clips, and the rule that drew them."""

    share: float
    rule: str = DEFAULT_RULE


def seen_labels(results: Results) -> dict[str, Seen]:
    """Method entry -> the labels its runs were trained with, for those that had a share."""
    seen = {}
    for name, record in results.runs.items():
        settings = record.get("settings", {})
        if (share := settings.get("labels")) is not None:
            seen[Run.parse(name).method] = Seen(share, settings.get("label_rule", DEFAULT_RULE))
    return seen


def by_share(lines: list[Line], seen: Mapping[str, Seen]) -> dict[str, dict[float, Line]]:
    """Name -> share -> top1 of the headline batch norm, joint stream, shares ascending.

    seen: as from seen_labels(). The entries of one method at several shares, psp_05 and psp_15, have one name. Another rule of drawing
    than psp is said in the name.
    """
    found: dict[str, dict[float, Line]] = {}
    for line in headlines(lines):
        if line.metric != "top1" or line.stream != "joint":
            continue
        if match := FINE_TUNED.fullmatch(line.setting):
            name, labels = line.method, Seen(float(match[1]), match[2] or DEFAULT_RULE)
        elif line.task == OWN and line.method in seen:
            name, labels = VARIANT.sub("", line.method), seen[line.method]
        else:
            continue
        name += "" if labels.rule == DEFAULT_RULE else f" ({labels.rule})"
        found.setdefault(name, {})[labels.share] = line
    return {name: dict(sorted(shares.items())) for name, shares in found.items()}
