"""Everything that `doctor` is asked to look at, one report each: data sets by name, and files."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pstl import paths
from pstl.config import Params
from pstl.data.describe import Report, examine_file
from pstl.data.doctor import HARMLESS, examine
from pstl.errors import UserError
from pstl.registry import dataset_names


def reports(
    params: Params,
    targets: Sequence[str],
    archives: Sequence[Path],
    raw: Path | None = None,
    jobs: int | None = None,
) -> Iterator[Report]:
    """Reports (see doctor.examine) as they are finished; of every data set if there are no targets.

    archives: folders searched beside those of params.yaml.
    raw: where the one data set was fetched to; None: data/raw/DATASET.
    A target that is neither a data set nor a file is passed over: refuse_strangers names it.
    Raises: UserError for a folder that is not there, or `raw` without its data set.
    """
    datasets = dataset_names()
    named = (*archives, *map(Path, params.archives))
    folders = [Path(os.path.expanduser(folder)) for folder in named]
    for folder in folders:
        if not folder.exists():
            remedy = "correct --archives (or archives: in params.yaml)"
            raise UserError(f"no such folder of archives: {folder}; {remedy}")
    if raw and not (len(targets) == 1 and targets[0] in datasets):
        remedy = f"name the data set, too: {', '.join(datasets)}"
        raise UserError(f"--raw {raw}: the folder of one data set; {remedy}")
    for target in targets or datasets:
        if target in datasets:
            fetched = raw or Path(paths.raw(target))
            yield examine(target, params.dataset(target), fetched, folders, jobs)
        elif os.path.lexists(target):
            yield examine_file(Path(target))


def refuse_strangers(targets: Sequence[str]) -> None:
    """Raises: UserError for the first target that is neither a data set nor a file."""
    datasets = dataset_names()
    for target in targets:
        if target not in datasets and not os.path.lexists(target):
            known = f"data sets: {', '.join(datasets)}"
            raise UserError(f"{target}: neither a data set nor a file; {known}")


def is_well(report: Report, by_name: bool) -> bool:
    """Whether nothing is wrong. by_name: it was asked for, so that it must not be missing."""
    return bool(report["ok"]) or (not by_name and report["state"] in HARMLESS)
