"""What mkdocs calls while it builds the site (website/mkdocs.yml)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from website import notebook, reference
from website.pages import ROOT, Page, external_links, pages, rewritten

SECTIONS = {"methods": "Methods", "specs": "Specifications", "papers": "Papers"}
NOTEBOOK = "first-steps.ipynb"
PICTURES = (".svg", ".png", ".gif")
BY_PLACE = {page.place: page for page in pages()}


def on_config(config: Any) -> Any:
    """Put every page that mkdocs.yml does not name into the section of its folder."""
    named = set(names(config.nav))
    sections = {title: entries for item in config.nav for title, entries in item.items()}
    for page in BY_PLACE.values():
        if page.place in named:
            continue
        title = SECTIONS.get(page.place.partition("/")[0], "More")
        if title not in sections:
            sections[title] = []
            config.nav.append({title: sections[title]})
        sections[title].append({short_title(page): page.place})
    return config


def short_title(page: Page) -> str:
    """What stands before the colon of a page's heading: a navigation is narrow."""
    heading = (ROOT / page.file).read_text("utf-8").partition("\n")[0]
    return heading.removeprefix("# ").partition(":")[0]


def names(nav: Any) -> Iterator[str]:
    """All pages of a navigation."""
    for item in nav:
        if isinstance(item, str):
            yield item
        else:
            for entries in item.values():
                yield from names([entries] if isinstance(entries, str) else entries)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie elsewhere, and those that are made now."""
    for page in BY_PLACE.values():
        if files.get_file_from_path(page.place) is None:
            text = (ROOT / page.file).read_text("utf-8")
            files.append(File.generated(config, page.place, content=text))
    executed = notebook.page(ROOT / f"docs/{NOTEBOOK}")
    made = {**reference.pages(), "notebook.md": f"{executed}- [The notebook]({NOTEBOOK}), a file\n"}
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """A page's text as the site needs it; made pages stay as they are."""
    written = BY_PLACE.get(page.file.src_uri)
    return rewritten(markdown, written, places(files)) if written else markdown


def places(files: Any) -> dict[str, str]:
    """File of the project -> its place in the site, of all pages and pictures."""
    by_file = {page.file: page.place for page in BY_PLACE.values()}
    for file in files:
        if file.src_uri.endswith(PICTURES):
            by_file[f"docs/{file.src_uri}"] = file.src_uri
    by_file[f"docs/{NOTEBOOK}"] = "notebook.md"
    return by_file


def on_post_build(config: Any) -> None:
    """List the addresses that pages lead to: nobody fetches them here."""
    listed = "\n".join(external_links()) + "\n"
    Path(config.site_dir, "external-links.txt").write_text(listed, "utf-8")
