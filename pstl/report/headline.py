"""A suite in one line: its best method on its first task, and what is ahead of it."""

from collections.abc import Iterable

from pstl.config import FUSED
from pstl.report import declared
from pstl.report.summary import BASELINE
from pstl.report.tables import Line, headlines, main_metrics, signed, unswept

TUNED = "tune="  # in a setting: how much of an encoder is tuned, which a baseline does not say


def headline(lines: list[Line]) -> str:
    """The best method with its deviation, seeds and gain over floors, and what is ahead of it.

    "" where no method has a number.
    """
    judged = main_metrics(lines)
    rivals = [line for line in headlines(lines) if line.mean is not None and not line.floor]
    rivals = [line for line in rivals if line.metric == judged.get(line.task)]
    rivals = [line for line in rivals if BASELINE not in line.setting]
    shown = unswept(rivals) or [line for line in rivals if line.setting == rivals[0].setting]
    if not shown:
        return ""
    place = (shown[0].dataset, shown[0].split, shown[0].task, shown[0].labels)
    alike = [line for line in shown if (line.dataset, line.split, line.task, line.labels) == place]
    metric = declared.metrics().of(alike[0].metric)
    sign = 1 if metric.higher_is_better else -1
    best = max(alike, key=lambda line: sign * (line.mean or 0.0))
    rest = [*_gains(best), *_ahead(best, lines)]
    said = f"; {', '.join(rest)}" if rest else ""
    setting = f" ({best.setting})" if best.setting and best.stream != FUSED else ""
    task = f"{best.dataset} {best.split}, {best.label}{setting} {best.metric}"
    value = f"{_value(best)} {metric.unit or '%'}"
    return f"{task}: {best.encoder}, {best.stream}, {value} ({best.seeds_text}){said}"


def _value(line: Line) -> str:
    assert line.mean is not None
    metric = declared.metrics().of(line.metric)
    spread = f" ± {metric.text(line.std)}" if line.std is not None else ""
    return metric.text(line.mean) + spread


def _gains(line: Line) -> list[str]:
    gains = []
    for kind, words in (("untrained", "the untrained encoder"), ("raw", "coordinates")):
        if (minus := line.minus_floor(kind)) is not None:
            gains.append(f"{signed(minus)} over {words}")
    return gains


def _ahead(best: Line, lines: Iterable[Line]) -> list[str]:
    """The best of what the task compares the encoder with, where it is better than the encoder."""
    metric = declared.metrics().of(best.metric)
    sign = 1 if metric.higher_is_better else -1
    rivals = [line for line in lines if line.mean is not None and _is_baseline_of(best, line)]
    rivals = [line for line in rivals if sign * (line.mean or 0.0) > sign * (best.mean or 0.0)]
    if not rivals:
        return []
    first = max(rivals, key=lambda line: sign * (line.mean or 0.0))
    name = first.setting.partition(BASELINE)[2].partition(";")[0]
    return [f"{name} has {_value(first)}"]


def _is_baseline_of(best: Line, line: Line) -> bool:
    """Whether a line is a baseline of the same clips and method, by the same metric."""
    if BASELINE not in line.setting or line.stream != best.stream:
        return False
    same_place = _place(line) == _place(best)
    return same_place and _without(line.setting, BASELINE) == _without(best.setting, TUNED)


def _place(line: Line) -> tuple[str, ...]:
    return (line.dataset, line.split, line.task, line.labels, line.source, line.method, line.metric)


def _without(setting: str, start: str) -> list[str]:
    return [part for part in setting.split(";") if part and not part.startswith(start)]
