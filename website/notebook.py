"""The notebook as a page: executed when the site is built, so that no output in it is old."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

KERNEL = "python3"
SECONDS = 300  # for a cell


def execute(path: Path) -> Any:
    """The notebook with its outputs, run from the project's root. Raises: what a cell raises."""
    notebook = nbformat.read(path, as_version=4)
    root = path.resolve().parents[1]
    with TemporaryDirectory() as folder:
        sockets = {"transport": "ipc", "ip": f"{folder}/kernel"}  # no port is opened
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            startup_timeout=SECONDS,
            kernel_name=KERNEL,
            coalesce_streams=True,
            resources={"metadata": {"path": str(root)}},
            config=Config({"KernelManager": sockets}),
        )
        client.execute(env={**os.environ, "PYTHONPATH": str(root)})
    return notebook


def page(path: Path) -> str:
    """Markdown of an executed notebook."""
    parts = []
    for cell in execute(path).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            parts.append(f"```python\n{cell.source}\n```")
            parts += [shown(output) for output in cell.outputs]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(output: Any) -> str:
    """One output of a cell: its picture, else its text."""
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```" if output.name == "stdout" else ""
    data = output.get("data", {})
    if "image/png" in data:
        source = f"data:image/png;base64,{data['image/png'].strip()}"
        return f'<img alt="output of the cell above" src="{source}">'
    return f"```text\n{data['text/plain']}\n```" if "text/plain" in data else ""
