"""params.yaml, read and checked once. After load() nobody sees a dict; a typo stops here, before the first job.

Free of torch, so that `snakemake -n` and `--help` answer at once. Settings of plug-ins (methods, encoders, tasks, data sets)
are checked by check_plugins(), which does import them.
"""

from pathlib import Path

import yaml

from pstl.config.checks import check_names, check_plugins
from pstl.config.params import Params
from pstl.config.settings import (
    DEFAULT_RULE,
    FUSED,
    BatchNorm,
    Cell,
    Compared,
    Count,
    Epochs,
    Experiment,
    Factor,
    Frozen,
    Fusion,
    LabelRule,
    MethodSettings,
    NotNegative,
    Plugin,
    Run,
    Share,
    Stream,
    Suite,
    TaskSettings,
    TrainSettings,
    digest,
    merge,
    validated,
)
from pstl.files import Kind, reading

PARAMS = Kind(
    "readable settings file",
    "correct it, or get it again",
    "run from the project's root or pass --params FILE",
)

__all__ = [
    "DEFAULT_RULE",
    "FUSED",
    "BatchNorm",
    "Cell",
    "Compared",
    "Count",
    "Epochs",
    "Experiment",
    "Factor",
    "Frozen",
    "Fusion",
    "LabelRule",
    "MethodSettings",
    "NotNegative",
    "Params",
    "Plugin",
    "Run",
    "Share",
    "Stream",
    "Suite",
    "TaskSettings",
    "TrainSettings",
    "check_plugins",
    "digest",
    "load",
    "merge",
    "validated",
]


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml. Raises: UserError naming the key, what was found and what was expected."""
    path = Path(path)
    with reading(path, PARAMS):
        text = path.read_text("utf-8")
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"not valid YAML: {error}") from None
    params: Params = validated(Params, content, str(path))
    check_names(params)
    return params
