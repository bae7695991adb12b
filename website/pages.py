"""Pages of the project as pages of its site: which there are, and what is rewritten in them.

Pages are written for a code host, whose links lead to files anywhere in the project. The site has
some of these files; a link to another one becomes its words.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
# File of the project -> its page, for those outside docs/. A file that is not there has no page.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "results/measured/README.md": "measured.md",
}
PAPERS = "results/papers"  # pages that `pstl` makes, one a paper
LINK = re.compile(r"(?<!!)\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)\)")
PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)(?: (?P<word>\S+))?$")
ITEM = re.compile(r"^\s*([-*]|\d+\.) ")
# The word after a block's language -> what the site says above the block. Other words are files.
MARKS = {
    "ten": "",
    "slow": "takes minutes or more",
    "data": "needs recordings",
    "device": "needs a camera, a cluster, a server or the network",
}


class Page(NamedTuple):
    """A file of the project, relative to its root, and the page's place in the site."""

    file: str
    place: str


def pages(root: Path = ROOT) -> list[Page]:
    """Every page that is a file of the project, those of docs/ included."""
    listed = [Page(file, place) for file, place in ELSEWHERE.items() if (root / file).exists()]
    for path in sorted((root / DOCS).rglob("*.md")):
        place = path.relative_to(root / DOCS).as_posix()
        listed.append(Page(f"{DOCS}/{place}", place))
    for path in sorted((root / PAPERS).glob("*.md")):
        listed.append(Page(f"{PAPERS}/{path.name}", f"papers/{path.name}"))
    return listed


def rewritten(markdown: str, page: Page, places: dict[str, str]) -> str:
    """A page's text with links, lists and fences as the site needs them.

    places: file of the project -> its place in the site, pages and pictures.
    """
    parts = []
    for is_block, text in split(markdown):
        parts.append(titled(text) if is_block else relinked(spaced(text), page, places))
    return "\n".join(parts) + "\n"


def split(markdown: str) -> Iterator[tuple[bool, str]]:
    """A page's fenced blocks, and what stands between them."""
    lines: list[str] = []
    inside = False
    for line in markdown.splitlines():
        opens = not inside and FENCE.match(line)
        if opens:
            yield False, "\n".join(lines)
            lines, inside = [line], True
            continue
        lines.append(line)
        if inside and line.strip() == "```":
            yield True, "\n".join(lines)
            lines, inside = [], False
    yield inside, "\n".join(lines)


def spaced(text: str) -> str:
    """Text whose lists stand apart from what is before them: else they are no lists there."""
    lines: list[str] = []
    for line in text.splitlines():
        before = lines[-1] if lines else ""
        in_list = ITEM.match(before) or before.startswith("  ")
        if ITEM.match(line) and before.strip() and not in_list:
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def titled(block: str) -> str:
    """A block with its file or its mark as its title."""
    opening, _, rest = block.partition("\n")
    fence = FENCE.match(opening)
    assert fence is not None
    word = fence["word"] or ""
    title = MARKS.get(word, word)
    opening = f"{fence['indent']}```{fence['language']}"
    return f'{opening} title="{title}"\n{rest}' if title else f"{opening}\n{rest}"


def relinked(text: str, page: Page, places: dict[str, str]) -> str:
    """Text whose links lead to pages of the site."""

    def link(match: re.Match[str]) -> str:
        """One link: to a page, or only its words."""
        target, hash_mark, section = match["target"].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        place = places.get(project_file(page, target))
        if place is None:
            return match["words"]
        back = relpath(place, str(PurePosixPath(page.place).parent))
        return f"[{match['words']}]({back}{hash_mark}{section})"

    def picture(match: re.Match[str]) -> str:
        """One picture, at its place in the site."""
        place = places.get(project_file(page, match["target"]), match["target"])
        return f"![{match['words']}]({relpath(place, str(PurePosixPath(page.place).parent))})"

    return LINK.sub(link, PICTURE.sub(picture, text))


def project_file(page: Page, target: str) -> str:
    """What a page's link leads to, relative to the project's root."""
    return normpath(str(PurePosixPath(page.file).parent / target))


def external_links(root: Path = ROOT) -> list[str]:
    """Addresses that pages name, each once: for people who want to look whether they are alive."""
    addresses: set[str] = set()
    for page in pages(root):
        addresses.update(re.findall(r"\]\((https?://[^)\s]+)\)", (root / page.file).read_text()))
    return sorted(addresses)
