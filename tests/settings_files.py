"""params.yaml and suites/ of a test, from one dictionary.

Its suites have no floors unless it says so: most tests count cells, and are about others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pstl import config
from pstl.config import Params, Settings, Suite


def write_settings(folder: str | Path, content: Mapping[str, Any]) -> Path:
    """Write content["suites"] as a file each and the rest as params.yaml. Returns: params.yaml."""
    params = Path(folder) / "params.yaml"
    shared = {name: section for name, section in content.items() if name != "suites"}
    params.write_text(yaml.safe_dump(shared, sort_keys=False))
    folder = params.parent / "suites"
    folder.mkdir(exist_ok=True)
    for earlier in folder.glob("*.yaml"):
        earlier.unlink()
    for name, suite in content["suites"].items():
        (folder / f"{name}.yaml").write_text(
            yaml.safe_dump({"floors": False, **suite}, sort_keys=False)
        )
    return params


def read_settings(folder: str | Path) -> dict[str, Any]:
    """Inverse of write_settings."""
    params = Path(folder) / "params.yaml"
    files = sorted((params.parent / "suites").glob("*.yaml"))
    suites = {file.stem: yaml.safe_load(file.read_text()) for file in files}
    return {**yaml.safe_load(params.read_text()), "suites": suites}


def settings_of(content: Mapping[str, Any]) -> Params:
    """The same settings without files."""
    shared = {name: section for name, section in content.items() if name != "suites"}
    suites = {
        name: Suite.model_validate({"floors": False, **suite})
        for name, suite in content["suites"].items()
    }
    return config.from_sections(Settings.model_validate(shared), suites)
