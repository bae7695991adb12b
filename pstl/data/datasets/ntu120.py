"""NTU RGB+D 120: 114,480 clips of 120 actions, 106 performers, 32 set-ups; NTU RGB+D 60 is a part
of it."""

import itertools

from pstl.data.datasets import _ntu
from pstl.data.spec import DatasetSpec, Rule, by_camera, by_setup, by_subject

XSUB = by_subject(train=_ntu.SUBJECTS_120)
XSET = by_setup(train=range(2, 33, 2), test=range(1, 33, 2))
TESTED_60 = {
    "xsub": by_subject(train=_ntu.SUBJECTS_60),
    "xview": by_camera(train=(2, 3), test=(1,)),
}


def _splits() -> dict[str, Rule]:
    """The two splits, and xsub_sparing_ntu60_xview and its like: for pre-training before a test on
    NTU-60 that must not have seen that test."""
    splits = {"xsub": XSUB, "xset": XSET}
    for (name, rule), (tested, of_60) in itertools.product(splits.items(), TESTED_60.items()):
        splits = {**splits, f"{name}_sparing_ntu60_{tested}": _ntu.sparing(rule, of_60)}
    return splits


class Ntu120(_ntu.Ntu):
    """All 32 set-ups."""

    setups = range(1, 33)
    spec = DatasetSpec(
        name="ntu120",
        classes=_ntu.CLASSES,
        skeleton="kinect_v2",
        people=2,
        units="metres, camera space, y up",
        splits=_splits(),
        # After the authors' list of 535 missing clips; counted in the name lists of CTR-GCN.
        expected={"xsub": (63_026, 50_919), "xset": (54_468, 59_477)},
        remotes=(_ntu.OLD, _ntu.NEW),
        source="Liu, Shahroudy, Perez, Wang, Duan and Kot, NTU RGB+D 120: A Large-Scale Benchmark, "
        "TPAMI 2020",
        licence=_ntu.LICENCE,
        universe=_ntu.universe,
        on_request=True,
        how_to_get=_ntu.HOW_TO_GET.replace("{name}", "ntu120"),
    )


DATASET = Ntu120()
