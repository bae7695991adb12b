"""The page of licences and the bill of materials: what they say is what is installed."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pstl import registry
from supply import bom, licences, lock

OTHERS_STATE = {
    "License-Expression: MIT": "MIT",
    "License: BSD": "BSD",
    "License: Copyright 2020 Somebody": "not stated",
    "License: Dual License\nClassifier: License :: OSI Approved :: BSD License\n"
    "Classifier: License :: OSI Approved :: Apache Software License": (
        "BSD License, Apache Software License"
    ),
    "License: GPLv2 | EPLv1": "GPLv2 or EPLv1",
    "Classifier: License :: OSI Approved": "not stated",
    "": "not stated",
}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Installed packages that state their licences in as many ways; their names, in order."""
    names = [f"licences-test-{number}" for number in range(len(OTHERS_STATE))]
    for name, stated in zip(names, OTHERS_STATE, strict=True):
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{stated}\n"
        (folder / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return names


def test_the_page_is_up_to_date(root: Path) -> None:
    """A package that comes with a new lock brings its licence; `make docs` writes the page."""
    page = (root / "docs/licences.md").read_text()
    assert licences.page(root, page) == page


def test_every_locked_package_has_a_row(root: Path) -> None:
    """What is left out of the page is what nobody looks at."""
    rows = licences.ROW.findall((root / "docs/licences.md").read_text())
    locked = [lock.split((root / name).read_text()) for name in (lock.LOCK, lock.CUDA_LOCK)]
    assert [row[0] for row in rows] == sorted([*locked[0], *locked[1]])
    assert licences.UNREAD not in {row[2] for row in rows}


def test_terms_of_every_data_set_are_stated(root: Path) -> None:
    """Nobody should have to open the sources to learn what owners of recordings ask."""
    page = (root / "docs/licences.md").read_text()
    for name in registry.names("data.datasets"):
        assert f"| `{name}` | {registry.load_dataset(name).spec.licence} |" in page


def test_a_licence_is_found_wherever_it_is_stated(packages: list[str]) -> None:
    """Packages state it as an expression, in words, by classifiers, or as a text without a name."""
    read = [licences.licence_of(name) for name in packages]
    assert read == list(OTHERS_STATE.values())
    assert licences.licence_of("licences-test-absent") is None


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("GPLv2 with linking exception", "GPL"),
        ("EPL-2.0 OR GPL-2.0-or-later", "GPL"),
        ("LGPL-2.1-or-later", "LGPL"),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", "LGPL"),
        ("MPL-2.0 AND MIT", "MPL, EPL"),
        ("LicenseRef-NVIDIA-Proprietary", "proprietary"),
        ("BSD-3-Clause", ""),
    ],
)
def test_what_asks_more_is_told_apart(licence: str, kind: str) -> None:
    """The reader who may not use GPL must find it without reading two hundred rows."""
    assert licences.kind_of(licence) == kind


def test_the_bill_lists_what_is_installed(root: Path, tmp_path: Path) -> None:
    """It is asked which version of a library a result was made with, long after."""
    file = tmp_path / "sbom.cdx.json"
    subprocess.run([sys.executable, "-m", "supply.bom", str(file)], cwd=root, check=True)
    bill = json.loads(file.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    versions = {each["name"]: each["version"] for each in bill["components"]}
    assert versions["numpy"] == metadata.version("numpy")
    assert versions["torch"] == metadata.version("torch")
    references = [each["bom-ref"] for each in bill["components"]]
    assert len(references) == len(set(references)) == len(versions)
    for edge in bill["dependencies"]:
        assert set(edge["dependsOn"]) <= set(references)
    needs = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"]}
    assert [each for each in needs["pstl"] if each.startswith("pkg:pypi/torch@")]
    assert json.dumps(bom.bill(root), indent=1) + "\n" == file.read_text()  # the same bytes again
