"""What tasks that see a share of the labels have in common: which clips these are."""

import numpy as np

from pstl.data.labels import labelled
from pstl.encoding.pretrained import Pretrained
from pstl.errors import UserError


def drawn_clips(inputs: Pretrained, share: float, rule: str, draw: int) -> np.ndarray:
    """Numbers of the training clips that have labels, ascending: (n,) int64.

    Raises: UserError if the labels are of another rule, draw or split.
    """
    ranking, run = inputs.ranking, inputs.run
    if ranking is None or (ranking.split, ranking.rule, ranking.draw) != (run.split, rule, draw):
        drawn = "none"
        if ranking is not None:
            of = f"{ranking.dataset}/{ranking.split}"
            drawn = f"rule {ranking.rule}, draw {ranking.draw} of {of}"
        expected = f"draw {draw} of {run.dataset}/{run.split}, rule {rule}"
        raise UserError(f"{run}: labels: {drawn}, expected {expected}; pass its file")
    return labelled(ranking, share, inputs.data)
