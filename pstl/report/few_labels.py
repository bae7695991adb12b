"""Few labels: every method's accuracy at each share of labels.

Whether it was pre-trained and then fine-tuned with them, or learnt with them from the start.
"""

from collections.abc import Mapping

from pstl.config import DEFAULT_RULE, Run
from pstl.report.rows import Results
from pstl.report.tables import Line, headlines

OWN = "classify"  # task of methods that see the labels of a share from the start
RULE = "rule="  # in the setting of a task that draws labels itself: the rule it draws by


def label_rules(results: Results) -> dict[str, str]:
    """Method entry -> the rule that drew the labels of its runs, if they had a share."""
    rules = {}
    for name, record in results.runs.items():
        settings = record.get("settings", {})
        if settings.get("labels") is not None:
            rules[Run.parse(name).method] = settings.get("label_rule", DEFAULT_RULE)
    return rules


def by_share(lines: list[Line], rules: Mapping[str, str]) -> dict[str, dict[float, Line]]:
    """Name -> share -> top1 of the headline batch norm, joint stream, shares ascending.

    rules: as from label_rules(). Another rule of drawing than psp is said in the name.
    """
    table: dict[str, dict[float, Line]] = {}
    for line in headlines(lines):
        if line.metric != "top1" or line.stream != "joint" or not line.labels:
            continue
        rule = _rule_of_setting(line.setting)
        if not rule and line.task != OWN:
            continue
        rule = rule or rules.get(line.method, DEFAULT_RULE)
        name = line.encoder
        if rule != DEFAULT_RULE:
            name += f" ({rule})"
        table.setdefault(name, {})[float(line.labels)] = line
    return {name: dict(sorted(shares.items())) for name, shares in table.items()}


def _rule_of_setting(setting: str) -> str:
    """The rule by which a task drew labels; empty where it drew none."""
    for part in setting.split(";"):
        if part.startswith(RULE):
            return part.removeprefix(RULE)
    return ""
