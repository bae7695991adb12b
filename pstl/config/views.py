"""How far random views of a clip in its body's own frame differ from it."""

from pstl.config.frozen import Frozen
from pstl.config.settings import NotNegative, Share


class BodyViews(Frozen):
    """What pstl/ops/body_views.py makes of a clip; as it stands here, nothing.

    shortest: share of a clip that a view shows at least.   turn_deg: about each axis, either way.
    stretch, bones: how much axes and bones differ.   mirror: how often a view is mirrored.
    lost_joints: share of the joints.   jitter: deviation of every coordinate.
    """

    shortest: Share = 1.0
    turn_deg: NotNegative = 0.0
    stretch: NotNegative = 0.0
    bones: NotNegative = 0.0
    mirror: Share = 0.0
    lost_joints: Share = 0.0
    jitter: NotNegative = 0.0
