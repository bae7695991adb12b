"""An encoder that was never trained: the floor.

Use it with `epochs: 0`, and with its batch norms recalibrated.
"""

from pstl.config import Frozen
from pstl.modules import BaseMethod


class Config(Frozen):
    """Nothing to set."""


class Method(BaseMethod):
    """Has no loss; the training loop writes the encoder as it was initialised."""

    plain_view = True
