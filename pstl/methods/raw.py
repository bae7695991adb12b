"""The recipe's coordinates as features: what posture alone gives.

Use it with `encoder: raw` and `epochs: 0`.
"""

from pstl.config import Frozen
from pstl.modules import BaseMethod


class Config(Frozen):
    """Nothing to set."""


class Method(BaseMethod):
    """Has no loss and no parameters."""

    plain_view = True
