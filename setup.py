"""What an installed package carries of the files around it, which stay where they are.

The rest of the build stands in pyproject.toml. In a checkout nothing is copied: pstl/checkout.py
takes the files from where they lie.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CARRIED = (
    "params.yaml",
    "Snakefile",
    "suites/*.yaml",
    "hub/*/*/*",
    "workflow/*.py",
    "workflow/rules/*.smk",
    "workflow/report/*.rst",
    "profiles/default/config.yaml",
    "profiles/slurm/config.yaml",
    "results/measured/bench/cpu.json",
)


class BuildWithProject(build_py):
    """build_py, which also copies CARRIED to pstl/project, each file at its place below it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, copy in self._copies().items():
                Path(copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)

    def get_source_files(self) -> list[str]:
        """For the archive of sources, of which a wheel may be made, too."""
        carried = [str(path.relative_to(ROOT)) for path in _carried()]
        return [*super().get_source_files(), *carried]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Everything that run() makes."""
        made = super().get_outputs(include_bytecode)
        return made if self.editable_mode else [*made, *self._copies().values()]

    def _copies(self) -> dict[str, str]:
        """File here -> file in the package that is being built."""
        folder = Path(self.build_lib, "pstl", "project")
        return {str(path): str(folder / path.relative_to(ROOT)) for path in _carried()}


def _carried() -> list[Path]:
    return [path for pattern in CARRIED for path in sorted(ROOT.glob(pattern))]


setup(cmdclass={"build_py": BuildWithProject})
