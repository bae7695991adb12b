"""Settings of one suite with two methods, and changes of them. Only for tests."""

from settings_files import write_settings

from pstl import config

BASE = {
    "suite": "s",
    "methods": {
        "pstl": {
            "recipe": "resize50",
            "encoder": {"name": "stgcn"},
            "train": {"epochs": 5, "lr": 0.1},
            "settings": {"masked_joints": 8},
        },
        "no_csm": {"base": "pstl", "settings": {"masked_joints": 0}},
    },
    "tasks": {"linear": {}, "short": {"kind": "linear", "epochs": 3}},
    "suites": {
        "s": {
            "summary": "",
            "methods": {"pstl": {"train": {"epochs": 2}}},
            "experiments": [
                {
                    "dataset": "nwucla",
                    "splits": ["xview"],
                    "methods": ["pstl", "no_csm"],
                    "streams": ["joint", "bone", "motion"],
                    "seeds": [0, 1],
                    "tasks": ["linear"],
                    "batch_norm": ["released"],
                    "fuse": {
                        "tasks": ["linear"],
                        "weights": {"joint": 0.6, "bone": 0.6, "motion": 0.4},
                    },
                }
            ],
        }
    },
}


def load(tmp_path, *changes):
    content = BASE
    for change in changes:
        content = config.merge(content, change)
    params = config.load(write_settings(tmp_path, content))
    config.check_all(params)
    return params


def first_experiment(**changes):
    return {"suites": {"s": {"experiments": [BASE["suites"]["s"]["experiments"][0] | changes]}}}
