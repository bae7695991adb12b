"""The documentation site: built strictly and without network; its pictures as code draws them."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
import yaml

from website.pages import ELSEWHERE, Page, pages, rewritten

ROOT = Path(__file__).resolve().parents[1]
METHODS = sorted(
    path.stem for path in (ROOT / "pstl/methods").glob("*.py") if not path.stem.startswith("_")
)
PARTS = ("## Idea", "## Loss", "## Run it", "## Numbers", "<!-- results: ")
NOTEBOOK = ROOT / "docs/first-steps.ipynb"
# What makes a browser fetch something when a page is opened.
FETCHED = re.compile(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?([^\"'\s>]+)")
LINKED = re.compile(r"<link\b[^>]*\bhref=[\"']?([^\"'\s>]+)")
IN_STYLES = re.compile(r"url\([\"']?(https?:[^)\"']+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` builds it; its notebook is executed."""
    for name in ("mkdocs", "material", "latex2mathml", "nbclient", "ipykernel"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install '.[workflow,docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--config-file", "website/mkdocs.yml", "--site-dir", str(folder)]
    offline = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    env = {**os.environ, **offline, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    """A page that nobody can reach is not written for anybody."""
    for page in pages():
        place = page.place.replace("README.md", "index.md").removesuffix(".md")
        assert (site / f"{place}.html").is_file(), page.file
    for name in ("python", "command-line", "contracts"):
        assert (site / f"reference/{name}.html").is_file()


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    """A reader without a network sees the same, and nobody learns who reads what."""
    for page in site.rglob("*.html"):
        text = page.read_text()
        asked = [*FETCHED.findall(text), *LINKED.findall(text)]
        away = [address for address in asked if re.match(r"(https?:)?//", address)]
        assert not away, f"{page.name}: {away}"
    for style in site.rglob("*.css"):
        assert not IN_STYLES.findall(style.read_text()), style.name


def test_formulas_are_there_without_a_script(site: Path) -> None:
    """What a script must draw is not there offline, nor for a screen reader."""
    page = (site / "methods/pstl.html").read_text()
    assert "<math" in page
    assert "\\mathcal" not in page


def test_the_notebook_runs_and_shows_what_it_says(site: Path) -> None:
    """The first thing that people try: an error in it is the last thing they see."""
    page = (site / "notebook.html").read_text()
    assert "168 clips, 84 of people that the encoder has not seen" in page
    assert "data:image/png;base64," in page
    scores = {name: float(value) for name, value in re.findall(r"(\w+) +([\d.]+)%\n", page)}
    assert scores["features"] > scores["coordinates"] > 10


def test_the_door_is_in_the_reference(site: Path) -> None:
    """Whatever dir(pstl) promises is explained."""
    import pstl

    page = (site / "reference/python.html").read_text()
    for name in dir(pstl):
        if not name.startswith("__"):
            assert f'id="{name.lower()}"' in page
    assert "Embedder.timeline" in page


def test_footnotes_of_papers_lead_to_their_sources(site: Path) -> None:
    """A printed number whose source cannot be followed is hearsay."""
    for page in (site / "papers").glob("*.html"):
        assert "[^" not in page.read_text(), page.name


def test_papers_have_short_names_beside_a_page(site: Path) -> None:
    """A column of narrow headings that end alike is not read."""
    page = (site / "papers/pstl.html").read_text()
    names = re.findall(r'<span class="md-ellipsis">\s*(.*?)\s*</span>', page, flags=re.S)
    assert "PSTL (AAAI 2023)" in names
    assert not [name for name in names if "what is printed" in name]


def test_addresses_are_listed(site: Path) -> None:
    """Nobody fetches them here; who wants to know whether they are alive has a list."""
    assert "https://arxiv.org/abs/2302.09018" in (site / "external-links.txt").read_text()


def test_a_notebook_is_kept_without_outputs() -> None:
    """They would be old some day; the site has new ones."""
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_page(method: str) -> None:
    """Idea, loss, how to run it and what came out: alike for rivals and our own."""
    page = (ROOT / f"docs/methods/{method}.md").read_text()
    assert f"(../pictures/{method}.svg)" in page
    for part in PARTS:
        assert part in page, part
    assert (
        f"[{page.splitlines()[0][2:].partition(':')[0]}]({method}.md)"
        in (ROOT / "docs/methods/README.md").read_text()
    )


def test_pictures_are_those_that_the_code_draws() -> None:
    """A picture of older views or numbers would show what is no longer true.

    Poses are rounded to a tenth of a pixel, and the processor decides which way. If this fails:
    `make docs`.
    """
    pytest.importorskip("matplotlib")
    from website.pictures import DRAWN, FOLDER

    assert {path.stem for path in FOLDER.iterdir()} == set(DRAWN)
    number = re.compile(r"-?\d+\.\d+")
    for name, draw in DRAWN.items():
        kept, drawn = (FOLDER / f"{name}.svg").read_text(), draw()
        assert number.sub("0", kept) == number.sub("0", drawn), name
        numbers = [float(digits) for digits in number.findall(drawn)]
        expected = [float(digits) for digits in number.findall(kept)]
        assert numbers == pytest.approx(expected, rel=0, abs=0 if name == "headline" else 0.11)


def test_the_navigation_names_pages_that_are_there() -> None:
    """mkdocs.yml is read by people, too."""
    text = re.sub(r"!!python/name:", "", (ROOT / "website/mkdocs.yml").read_text())
    listed = re.findall(r"[\w/-]+\.md", str(yaml.safe_load(text)["nav"]))
    made = {"notebook.md", *ELSEWHERE.values()}
    made |= {f"reference/{name}.md" for name in ("python", "command-line", "contracts")}
    gone = [place for place in listed if not (ROOT / "docs" / place).is_file()]
    assert set(gone) <= made


PAGE = Page("docs/methods/pstl.md", "methods/pstl.md")
PLACES = {
    "docs/suites.md": "suites.md",
    "results/measured/README.md": "measured.md",
    "docs/pictures/pstl.svg": "pictures/pstl.svg",
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[a](../suites.md#floors)", "[a](../suites.md#floors)"),
        ("[two\nlines](../../results/measured/README.md#x)", "[two\nlines](../measured.md#x)"),
        ("[code](../../pstl/cli.py)", "code"),
        ("[away](https://arxiv.org)", "[away](https://arxiv.org)"),
        ("![p](../pictures/pstl.svg)", "![p](../pictures/pstl.svg)"),
        ("words:\n- item\n- item", "words:\n\n- item\n- item"),
        ("```sh data\n[a](x.md)\n```", '```sh title="needs recordings"\n[a](x.md)\n```'),
        ("```sh ten\nx\n```", "```sh\nx\n```"),
        ("```yaml params.yaml\nx\n```", '```yaml title="params.yaml"\nx\n```'),
    ],
)  # fmt: skip
def test_a_page_is_rewritten_for_the_site(written: str, expected: str) -> None:
    """Pages are written for a code host; in the site their links must lead on."""
    assert rewritten(written, PAGE, PLACES).strip() == expected
