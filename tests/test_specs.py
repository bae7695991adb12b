"""Every citation of a specification leads to a section: where a constant comes from."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "docs" / "specs"
PAGES = {
    "PSTL": "pstl.md",
    "SCD-Net": "scdnet.md",
    "UmURL": "umurl.md",
    "Hi-TRS": "hitrs.md",
    "PSP": "psp.md",
    "Predict-Cluster": "predict_cluster.md",
    "AimCLR": "aimclr.md",
    "MAMP": "mamp.md",
    "Data": "datasets.md",
}
NUMBER = r"\d+(?:\.\d+)*"
LINK = r"(?:,| and| or)"  # between several sections of one page, as in "SCD-Net spec 3, 11"
CITATION = re.compile(rf"(?:([\w-]+)\s+)?\b[Ss]pecs? (?:section )?({NUMBER}(?:{LINK} {NUMBER})*)")


def source_files() -> list[Path]:
    """Whatever is read as code or settings."""
    folders = ("pstl", "tests", "workflow", "benchmarks", "suites")
    endings = (".py", ".smk", ".yaml")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return [ROOT / "params.yaml", *(path for path in files if path.suffix in endings)]


def citations(text: str) -> Iterator[tuple[str, str]]:
    """Name of the page and number of the section, for each that a text cites."""
    for match in CITATION.finditer(text):
        for number in re.findall(NUMBER, match[2]):
            yield match[1] or "", number


def sections(page: str) -> set[str]:
    """Numbers of a page's sections, and of the numbered points in them, as in 2.4.1."""
    numbers: set[str] = set()
    section = ""
    for line in page.splitlines():
        if heading := re.match(rf"#+ ({NUMBER})\.? ", line):
            section = heading[1]
            numbers.add(section)
        elif point := re.match(r"(\d+)\. ", line):
            numbers.add(f"{section}.{point[1]}")
    return numbers


def test_every_cited_section_is_there() -> None:
    """A citation that leads nowhere is worse than none: it claims evidence."""
    known = {name: sections((SPECS / page).read_text()) for name, page in PAGES.items()}
    astray = []
    cited = 0
    for path in source_files():
        if path == Path(__file__):
            continue
        for name, number in citations(path.read_text()):
            cited += 1
            if number not in known.get(name, set()):
                astray.append(f"{path.relative_to(ROOT)}: {name or 'no page'} {number}")
    assert not astray, astray
    assert cited > 150  # the search itself finds them


@pytest.mark.parametrize(
    ("text", "cites"),
    [
        ("Source: PSTL code (PSTL spec 6.1)", [("PSTL", "6.1")]),
        ("(SCD-Net spec 3, 11)", [("SCD-Net", "3"), ("SCD-Net", "11")]),
        ("(spec 4)", [("", "4")]),
        ("as spec section 3 has it", [("as", "3")]),
        ("special 3, specs of 4", []),
    ],
)
def test_a_citation_is_recognised(text: str, cites: list[tuple[str, str]]) -> None:
    """A citation without its page, or in another form, must not slip through unseen."""
    assert list(citations(text)) == cites


def test_a_section_is_a_heading_or_a_numbered_point() -> None:
    """PSTL spec 2.4.1 is the first point of section 2.4."""
    page = "# Name\n## 2. Data\n### 2.4 Steps\n1. First\n2. Second\n## 3. Graph\n"
    assert sections(page) == {"2", "2.4", "2.4.1", "2.4.2", "3"}


def test_pages_are_the_folder() -> None:
    """A page that no name leads to is never cited; a name without a page cites nothing."""
    pages = {path.name for path in SPECS.glob("*.md")}
    assert pages == {*PAGES.values(), "README.md"}
