"""What tasks that search among training clips share."""

from typing import Literal

from pstl.encoding.standardise import Normalisation

Distance = Literal["cosine", "euclidean"]


def distance_setting(distance: Distance, normalise: Normalisation) -> str:
    """How the setting of a row says it; what is usual goes without saying."""
    return distance if normalise == "none" else f"{distance};{normalise}"
