"""Few labels: every method's accuracy at each share of labels.

Whether it was pre-trained and then fine-tuned with them, or learnt with them from the start.
"""

from collections.abc import Mapping

from pstl.config import DEFAULT_RULE, Run
from pstl.report.labels import task_label
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

    rules: as from label_rules(). Another rule of drawing than psp is said in the name, and so is
    the task where an encoder has several.
    """
    shown = [line for line in headlines(lines) if is_of_few_labels(line)]
    tasks: dict[str, set[str]] = {}
    for line in shown:
        tasks.setdefault(line.encoder, set()).add(_task(line))
    table: dict[str, dict[float, Line]] = {}
    for line in shown:
        rule = _rule_of_setting(line.setting) or rules.get(line.method, DEFAULT_RULE)
        name = line.encoder
        said = [_task(line)] if len(tasks[name]) > 1 else []
        said += [rule] if rule != DEFAULT_RULE else []
        if said:
            name += f" ({', '.join(said)})"
        table.setdefault(name, {})[float(line.labels)] = line
    return {name: dict(sorted(shares.items())) for name, shares in table.items()}


def _task(line: Line) -> str:
    return task_label(line.task, "", line.protocol)


def is_of_few_labels(line: Line) -> bool:
    """Whether it is an accuracy with a share of the labels."""
    drawn = line.task == OWN or bool(_rule_of_setting(line.setting))
    return line.metric == "top1" and line.stream == "joint" and bool(line.labels) and drawn


def _rule_of_setting(setting: str) -> str:
    """The rule by which a task drew labels; empty where it drew none."""
    for part in setting.split(";"):
        if part.startswith(RULE):
            return part.removeprefix(RULE)
    return ""
