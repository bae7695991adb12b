"""What tables and charts call a task, a share of labels, and an encoder of other data."""

from pstl.config import Cell


def task_label(task: str, labels: str, protocol: str) -> str:
    """A task with its axes, but for the source, which is the encoder's.

    >>> task_label("semi", "0.05", "scdnet")
    "semi 5 % (scdnet's protocol)"
    """
    label = task
    if labels:
        label += f" {share_label(labels)}"
    if protocol:
        label += f" ({protocol}'s protocol)"
    return label


def cell_label(cell: Cell) -> str:
    """The same of a cell."""
    return task_label(cell.task, share_text(cell.share), cell.protocol)


def share_label(labels: str) -> str:
    """A share of labels as tables name it.

    >>> share_label("0.05")
    '5 %'
    """
    return f"{100 * float(labels):g} %"


def share_text(share: float | None) -> str:
    """A share of labels as rows hold it; empty where there is none."""
    return "" if share is None else f"{share:g}"


def from_source(method: str, source: str, is_floor: bool = False) -> str:
    """How a method is called whose encoder comes from another data set (dataset/split).

    Of that data a floor has nothing but the body.

    >>> from_source("pstl", "nwucla/xview"), from_source("raw.resize50", "nwucla/xview", True)
    ('pstl from nwucla', "raw.resize50 (nwucla's body)")
    """
    dataset = source.partition("/")[0]
    if not dataset:
        return method
    return f"{method} ({dataset}'s body)" if is_floor else f"{method} from {dataset}"


def full_setting(setting: str, labels: str, source: str, together: str = "") -> str:
    """The setting of a row with its axes, as published numbers state theirs.

    together: streams that enter one model together.
    """
    parts = []
    if source:
        parts.append(f"source={source}")
    if labels:
        parts.append(f"labels={labels}")
    if setting:
        parts.append(setting)
    if together:
        parts.append(f"input={together}")
    return ";".join(parts)
