"""The bill of materials: what of the lock files is installed here, as CycloneDX 1.6 in JSON.

python -m supply.bom sbom.cdx.json

The same packages give the same bytes: it has no date and no number of its own.
"""

import json
import sys
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import pstl
from supply import licences, lock

FORMAT = {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
}
PROJECT = {
    "type": "application",
    "bom-ref": "pstl",
    "name": "pstl",
    "version": pstl.__version__,
    "licenses": [{"license": {"id": "MIT"}}],
}


def bill(root: Path) -> dict[str, Any]:
    """Project, packages, and which needs which."""
    installed = _installed(root)
    packages = [_component(name, version) for name, version in installed.items()]
    named = sorted({name for name in _named(root) if name in installed})
    needs = [{"ref": "pstl", "dependsOn": [_reference(name, installed[name]) for name in named]}]
    for name, version in installed.items():
        needed = sorted({each for each in _needed(name) if each in installed})
        below = [_reference(each, installed[each]) for each in needed]
        needs.append({"ref": _reference(name, version), "dependsOn": below})
    about = {"metadata": {"component": PROJECT}}
    return FORMAT | about | {"components": packages, "dependencies": needs}


def _installed(root: Path) -> dict[str, str]:
    """Locked package -> the version that is installed, a local build's name with it."""
    versions = {}
    for file in (lock.LOCK, lock.CUDA_LOCK):
        for name in lock.split((root / file).read_text()):
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue  # of another system
    return dict(sorted(versions.items()))


def _named(root: Path) -> list[str]:
    """What the project asks for by name."""
    return [licences.plain_name(each) for each in chain(*lock.asked(root).values())]


def _needed(name: str) -> list[str]:
    return [licences.plain_name(each) for each in licences.needs(name)]


def _component(name: str, version: str) -> dict[str, Any]:
    licence = licences.licence_of(name)
    expression = metadata.metadata(name).json.get("license_expression")
    stated = {"expression": expression} if expression else {"license": {"name": licence}}
    return {
        "type": "library",
        "bom-ref": _reference(name, version),
        "name": name,
        "version": version,
        "purl": _reference(name, version),
        "licenses": [stated],
    }


def _reference(name: str, version: str) -> str:
    """The address of a package by its name (purl)."""
    return f"pkg:pypi/{name}@{version.replace('+', '%2B')}"


def main() -> None:
    """The command line."""
    Path(sys.argv[1]).write_text(json.dumps(bill(lock.ROOT), indent=1) + "\n")


if __name__ == "__main__":
    main()
