"""What tasks on cached features may do to them first, alike for every encoder and every floor."""

from typing import Literal

import torch
from torch import Tensor

from pstl.config import CLIP, Frozen, Pooling, Share
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.standardise import Normalisation, normalised

Distance = Literal["cosine", "euclidean"]


class OnFeatures(Frozen):
    """Settings of a task that change no encoder: which of its output is read, and how."""

    pooling: Pooling = CLIP
    # By the training clips: mean of each feature; mean and deviation; or mean and covariance, which
    # is moved by `shrinkage` towards one that is alike in all directions.
    normalise: Normalisation = "none"
    shrinkage: Share = 0.5

    def sides(self, features: FeatureSet, device: torch.device) -> tuple[Tensor, Tensor]:
        """Training and test clips on the device, normalised: (N, D), (Q, D)."""
        made = normalised(features.train, features.test, self.normalise, self.shrinkage)
        return made[0].to(device), made[1].to(device)

    def setting(self, *others: str) -> str:
        """How the setting of a row says it, after others; what is usual goes without saying."""
        usual = type(self)()
        said = [*others]
        if self.pooling != usual.pooling:
            said.append(f"pooling={self.pooling}")
        if self.normalise != usual.normalise:
            how = f"={self.shrinkage:g}" if self.normalise == "whitened" else ""
            said.append(f"{self.normalise}{how}")
        return ";".join(said)
