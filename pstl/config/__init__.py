"""params.yaml and suites/, read and checked once. After load() nobody sees a dict of settings.

A typo stops here, before the first job. Free of torch, so that `snakemake -n` and `--help` answer
at once. Settings of plug-ins (methods, encoders, tasks, data sets) are checked by check_plugins(),
which does import them.
"""

from pstl.config.assemble import check_all
from pstl.config.between_suites import check_imported
from pstl.config.cells import EARLIER_FUSED, FUSED, NAME, Cell, Run, cell_name
from pstl.config.checks import check_own_data, check_plugins
from pstl.config.floors import floor_kind
from pstl.config.frozen import Frozen
from pstl.config.grid import classifies, takes_labels
from pstl.config.load import from_sections, load, load_suite, params_with, suite_name
from pstl.config.params import Params, Settings, comparison_key
from pstl.config.settings import (
    CLIP,
    DEFAULT_RULE,
    JOINTS,
    POOLING,
    BatchNorm,
    Compared,
    Count,
    Epochs,
    Factor,
    LabelRule,
    LabelShare,
    MethodSettings,
    NotNegative,
    Plugin,
    Pooling,
    Share,
    Stream,
    TaskSettings,
    TrainSettings,
    digest,
    merge,
    segments_of,
)
from pstl.config.suites import OWN, Experiment, Fusion, Suite
from pstl.config.validation import validated
from pstl.config.views import BodyViews
from pstl.config.weights import WeightFile, Weights

__all__ = [
    "CLIP",
    "DEFAULT_RULE",
    "EARLIER_FUSED",
    "FUSED",
    "JOINTS",
    "NAME",
    "OWN",
    "POOLING",
    "BatchNorm",
    "BodyViews",
    "Cell",
    "Compared",
    "Count",
    "Epochs",
    "Experiment",
    "Factor",
    "Frozen",
    "Fusion",
    "LabelRule",
    "LabelShare",
    "MethodSettings",
    "NotNegative",
    "Params",
    "Plugin",
    "Pooling",
    "Run",
    "Settings",
    "Share",
    "Stream",
    "Suite",
    "TaskSettings",
    "TrainSettings",
    "WeightFile",
    "Weights",
    "cell_name",
    "check_all",
    "check_imported",
    "check_own_data",
    "check_plugins",
    "classifies",
    "comparison_key",
    "digest",
    "floor_kind",
    "from_sections",
    "load",
    "load_suite",
    "merge",
    "params_with",
    "segments_of",
    "suite_name",
    "takes_labels",
    "validated",
]
