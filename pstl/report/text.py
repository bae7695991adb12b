"""Tables as text: markdown with footnotes."""

ASSUMED = "?"  # after a printed number of which something is assumed
MARKED = (
    f"`{ASSUMED}`: its source does not state all that decides a comparison; "
    "such a number decides none."
)


class Notes:
    """Footnotes of one page: the same text gets the same number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        """Reference to the footnote with this text; a new one gets the next number."""
        return f"[^{self.numbers.setdefault(text, len(self.numbers) + 1)}]"

    def __str__(self) -> str:
        return "\n".join(f"[^{number}]: {text}" for text, number in self.numbers.items())


def table(header_: list[str], body: list[list[str]]) -> str:
    """A markdown table; bars inside cells are escaped."""
    lines = []
    for row in (header_, ["---"] * len(header_), *body):
        cells = [cell.replace("|", "\\|") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
