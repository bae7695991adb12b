"""Charts as SVG text: sharp on a phone and on paper, readable by screen readers, the same bytes for the same numbers."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart; black is kept for the truth.
PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7f6000",
    "#5e3c99",
    "#999999",
)
WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 42
TEXT = 'font-size="12" font-family="sans-serif"'


class Series(NamedTuple):
    """One line of a chart. `spread` is a half-width around y, or empty."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] = ()
    colour: int = 0
    dashed: bool = False


class Bar(NamedTuple):
    """One bar. low, high: its interval; mark: another number of the same cell, e.g. the published one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    colour: int = 0


def colour(number: int) -> str:
    return PALETTE[number % len(PALETTE)]


def svg(width: float, height: float, alt: str, body: Sequence[str]) -> str:
    """A picture with a text for those who cannot see it."""
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(alt)}" style="max-width:{width * 1.4:g}px">'
    return head + f"<title>{escape(alt)}</title>" + "".join(body) + "</svg>"


def text(x: float, y: float, words: str, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {TEXT} {extra}>{escape(words)}</text>'


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover low..high.

    >>> ticks(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    if not high > low:
        low, high = low - 0.5, low + 0.5
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def lines(series: Sequence[Series], x_label: str, y_label: str, alt: str) -> str:
    """A line chart; a shaded band shows each line's spread. A line of one point is a dot."""
    xs = [x for s in series for x in s.x]
    spans = [
        (y - d, y + d)
        for s in series
        for y, d in zip(s.y, s.spread or [0.0] * len(s.y), strict=True)
    ]
    x_ticks, y_ticks = (
        ticks(min(xs), max(xs)),
        ticks(min(low for low, _ in spans), max(high for _, high in spans)),
    )

    def at(x: float, y: float) -> str:
        px = LEFT + (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - RIGHT)
        py = (
            HEIGHT
            - BOTTOM
            - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - TOP - BOTTOM)
        )
        return f"{px:.1f},{py:.1f}"

    body = axes(x_ticks, y_ticks, x_label, y_label)
    for s in series:
        if s.spread:
            edge = [at(x, y + d) for x, y, d in zip(s.x, s.y, s.spread, strict=True)]
            back = [at(x, y - d) for x, y, d in zip(s.x, s.y, s.spread, strict=True)][::-1]
            body.append(
                f'<polygon points="{" ".join(edge + back)}" fill="{colour(s.colour)}" opacity=".18"/>'
            )
        dash = ' stroke-dasharray="5 3"' if s.dashed else ""
        points = [at(x, y) for x, y in zip(s.x, s.y, strict=True)]
        body.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour(s.colour)}" stroke-width="1.8"{dash}/>'
        )
        if len(points) <= 12:
            body += [
                f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour(s.colour)}"/>'
                for p in points
            ]
    return svg(WIDTH, HEIGHT, alt, body) + legend([(s.name, s.colour, s.dashed) for s in series])


def axes(
    x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str, y_label: str
) -> list[str]:
    """Grid, numbers and names of a chart of the common size."""
    body = []
    for i, value in enumerate(y_ticks):
        y = HEIGHT - BOTTOM - i / (len(y_ticks) - 1) * (HEIGHT - TOP - BOTTOM)
        body.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            + text(LEFT - 5, y + 4, f"{value:g}", "end")
        )
    for i, value in enumerate(x_ticks):
        x = LEFT + i / (len(x_ticks) - 1) * (WIDTH - LEFT - RIGHT)
        body.append(text(x, HEIGHT - BOTTOM + 16, f"{value:g}", "middle"))
    body.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "middle"))
    return [
        *body,
        text(
            0,
            0,
            y_label,
            "middle",
            f'transform="translate(12 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)"',
        ),
    ]


def bars(items: Sequence[Bar], label: str, alt: str, highest: float = 100.0) -> str:
    """Horizontal bars from 0, with whiskers and marks."""
    name_width, row = min(300, 14 + 6.8 * max(len(i.name) for i in items)), 22
    width = WIDTH + max(0, name_width - 130)
    scale = (width - name_width - 44) / highest
    body = []
    for number, item in enumerate(items):
        y = TOP + number * row
        body.append(text(name_width - 6, y + 13, item.name, "end"))
        body.append(
            f'<rect x="{name_width:.1f}" y="{y + 2}" width="{max(0, item.value) * scale:.1f}" height="14" fill="{colour(item.colour)}"/>'
        )
        if item.low is not None and item.high is not None:
            low, high = (
                name_width + min(max(v, 0), highest) * scale for v in (item.low, item.high)
            )
            body.append(
                f'<path d="M{low:.1f} {y + 9}H{high:.1f}M{low:.1f} {y + 5}v8M{high:.1f} {y + 5}v8" stroke="#000" fill="none"/>'
            )
        if item.mark is not None:
            body.append(
                f'<path d="M{name_width + item.mark * scale:.1f} {y - 1}v20" stroke="#000" stroke-width="3"/>'
            )
        body.append(text(width - 2, y + 13, f"{item.value:.1f}", "end"))
    height = TOP + row * len(items) + 22
    return svg(width, height, alt, [*body, text(name_width, height - 6, label)])


def heatmap(counts: Sequence[Sequence[float]], names: Sequence[str], alt: str) -> str:
    """A confusion matrix: rows are true classes, columns predictions, shade is the share of the row, the number its percent."""
    n, few = len(names), len(names) <= 20
    cell, left = (22, 34 + 6.6 * max(map(len, names))) if few else (7, 26.0)
    body = []
    for i, row in enumerate(counts):
        total = sum(row) or 1
        if few or i % 10 == 0:
            body.append(
                text(
                    left - 5,
                    i * cell + cell * 0.7 + 2,
                    f"{names[i]} {i + 1}" if few else str(i + 1),
                    "end",
                )
            )
        for j, count in enumerate(row):
            if not count:
                continue
            share = count / total
            about = f"{names[i]} taken for {names[j]}: {count:g} of {total:g}"
            body.append(
                f'<rect x="{left + j * cell:.1f}" y="{i * cell + 2}" width="{cell - 1}" height="{cell - 1}" '
                f'fill="{shade(share, i == j)}"><title>{escape(about)}</title></rect>'
            )
            if few:
                body.append(
                    f'<text x="{left + (j + 0.5) * cell - 0.5:.1f}" y="{i * cell + cell * 0.7 + 1:.1f}" text-anchor="middle" '
                    f'font-size="10" font-family="sans-serif" fill="{"#fff" if share > 0.55 else "#000"}">{100 * share:.0f}</text>'
                )
    body.append(
        f'<rect x="{left - 1:.1f}" y="1" width="{n * cell + 1}" height="{n * cell + 1}" fill="none" stroke="#888"/>'
    )
    body += [
        text(left + (j + 0.5) * cell, n * cell + 16, str(j + 1), "middle")
        for j in range(n)
        if few or j % 10 == 0
    ]
    return svg(left + n * cell + 4, n * cell + 24, alt, body)


def shade(share: float, right: bool) -> str:
    """White to blue on the diagonal, white to vermilion off it."""
    target = (0, 78, 140) if right else (190, 70, 0)
    return "#" + "".join(
        f"{round(255 + (t - 255) * min(1.0, 0.08 + 0.92 * share)):02x}" for t in target
    )


def scatter(
    points: Sequence[tuple[float, float]], classes: Sequence[int], names: Sequence[str], alt: str
) -> str:
    """A map of clips: colour and letter say the class, so that it can be read without colours too. Units of a map mean nothing."""
    side = 420.0
    low = [min(p[i] for p in points) for i in (0, 1)]
    span = max(max(p[i] for p in points) - low[i] for i in (0, 1)) or 1.0
    body = [
        f'<rect x=".5" y=".5" width="{side - 1:g}" height="{side - 1:g}" fill="none" stroke="#ccc"/>'
    ]
    for (x, y), label in zip(points, classes, strict=True):
        px, py = (10 + (value - low[i]) / span * (side - 20) for i, value in enumerate((x, y)))
        body.append(
            f'<text x="{px:.0f}" y="{py + 3:.0f}" font-size="9" text-anchor="middle" fill="{colour(label)}">{letter(label)}</text>'
        )
    body.insert(1, '<g font-family="sans-serif" font-weight="bold">')
    return svg(side, side, alt, [*body, "</g>"])


def letter(number: int) -> str:
    """A to Z, then a to z, then numbers."""
    return (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[number]
        if number < 52
        else str(number + 1)
    )


def timeline(
    rows: Sequence[tuple[str, Sequence[tuple[float, float, int, float]]]],
    frames: float,
    classes: Sequence[str],
    alt: str,
) -> str:
    """Intervals in time, one row per source.   rows: (name, [(start, end, class, opacity)]) in frames."""
    left, row, width = 96, 26, 640
    scale = (width - left - 8) / frames
    body = []
    for number, (name, spans) in enumerate(rows):
        y = 6 + number * row
        body.append(
            text(left - 6, y + 14, name, "end")
            + f'<path d="M{left} {y + 20}H{width - 8}" stroke="#ddd"/>'
        )
        for start, end, label, opacity in spans:
            about = f"{classes[label]}, frames {start:g} to {end:g}"
            body.append(
                f'<rect x="{left + start * scale:.1f}" y="{y}" width="{max(1.0, (end - start) * scale):.1f}" height="19" '
                f'fill="{colour(label)}" opacity="{opacity:.2f}"><title>{escape(about)}</title></rect>'
            )
            if (end - start) * scale > 12:
                body.append(
                    text(
                        left + (start + end) / 2 * scale,
                        y + 14,
                        letter(label),
                        "middle",
                        'fill="#fff"',
                    )
                )
    height = 10 + row * len(rows) + 18
    body += [text(left + t * scale, height - 4, f"{t:g}", "middle") for t in ticks(0, frames)[:-1]]
    return svg(width, height, alt, body)


def legend(entries: Sequence[tuple[str, int, bool]]) -> str:
    """Names beside their colours, as text that wraps."""
    marks = [
        f'<span><i style="border-top:3px {"dashed" if dashed else "solid"} {colour(number)}"></i>{escape(name)}</span>'
        for name, number, dashed in entries
    ]
    return f'<p class="legend">{"".join(marks)}</p>'
