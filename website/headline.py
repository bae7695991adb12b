"""The picture of README: fused streams on NW-UCLA beside both floors, of kept tables."""

from html import escape
from pathlib import Path
from typing import NamedTuple

from pstl.report.quote import read
from pstl.report.tables import Line

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results/measured/nwucla-simclr-cpu/comparison.csv"
TASKS = {"knn": "nearest neighbour", "linear": "linear layer", "probe": "common probe"}
ROWS = {"untrained": "encoder untrained", "raw": "coordinates alone", "simclr": "SimCLR, no labels"}
COLOURS = {"untrained": "#b8b8b8", "raw": "#7f97ab", "simclr": "#0072b2"}
WIDTH, BAR, PANEL = 760, 20, 236
LOW, HIGH = 0.0, 100.0  # percent, of the axis
STYLE = "text{font-family:system-ui,sans-serif;font-size:12px;fill:#222}.t{font-size:13px}"


class Bar(NamedTuple):
    """A mean in percent and its deviation over seeds."""

    mean: float
    std: float | None


def draw() -> str:
    """SVG."""
    kept = bars(read(TABLE))
    height = 62 + 3 * (BAR + 6) + 34
    title = "NW-UCLA, cameras 1 and 2 known, camera 3 tested: joint, bone and motion fused"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'role="img" aria-label="{escape(title)}">',
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" class="t" font-weight="600">{escape(title)}</text>',
    ]
    for number, (task, name) in enumerate(TASKS.items()):
        parts += panel(kept[task], name, 12 + number * (PANEL + 12))
    parts.append(
        f'<text x="12" y="{height - 10}">top-1 accuracy in percent, mean of five seeds, '
        "whiskers one standard deviation</text>"
    )
    return "\n".join([*parts, "</svg>", ""])


def bars(lines: list[Line]) -> dict[str, dict[str, Bar]]:
    """Task -> row -> its bar, of the fused streams."""
    kept: dict[str, dict[str, Bar]] = {task: {} for task in TASKS}
    for line in lines:
        fused = line.stream == "fused" and line.metric == "top1" and line.task in TASKS
        row = line.method.partition(".")[0]
        if fused and row in ROWS and line.mean is not None:
            kept[line.task][row] = Bar(line.mean, line.std)
    return kept


def panel(kept: dict[str, Bar], name: str, x: float) -> list[str]:
    """One task's bars."""
    parts = [f'<text x="{x}" y="48">{escape(name)}</text>']
    for number, (row, words) in enumerate(ROWS.items()):
        y = 58 + number * (BAR + 6)
        if row not in kept:
            parts.append(f'<text x="{x + 4}" y="{y + 15}" fill="#777">{words}: not run</text>')
            continue
        bar = kept[row]
        end = x + width_of(bar.mean)
        parts.append(
            f'<rect x="{x}" y="{y}" width="{end - x:.1f}" height="{BAR}" fill="{COLOURS[row]}"/>'
        )
        ink = "#fff" if row == "simclr" else "#222"
        parts.append(f'<text x="{x + 5}" y="{y + 15}" style="fill:{ink}">{words}</text>')
        if bar.std is not None:
            reach = width_of(bar.mean + bar.std) - width_of(bar.mean)
            middle = y + BAR / 2
            parts.append(f'<path d="M{end - reach:.1f} {middle}H{end + reach:.1f}" stroke="#222"/>')
        parts.append(f'<text x="{end + 10:.1f}" y="{y + 15}">{bar.mean:.1f}</text>')
    return parts


def width_of(percent: float) -> float:
    """Pixels of a bar."""
    return (percent - LOW) / (HIGH - LOW) * (PANEL - 30)
