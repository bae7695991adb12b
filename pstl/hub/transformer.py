"""Features of clips as a transformer of scikit-learn, which is needed for this module alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pstl.hub.embedder import Embedder, load
from pstl.hub.raw_clips import Source

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ModuleNotFoundError:
    needed = "SkeletonFeatures needs scikit-learn, which is not installed here"
    remedy = "run: pip install 'pstl[workflow]'"
    raise ModuleNotFoundError(f"{needed}; {remedy}", name="sklearn") from None


class SkeletonFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Clips in, features (N, D) out: what Embedder.embed_all() gives, as a step of a Pipeline.

    weights: as of pstl.load().   skeleton, units: as of Embedder.embed().   device: as of load().

    Nothing is fitted: fit() loads the encoder, which stays as it was trained.

    >>> make_pipeline(SkeletonFeatures("nwucla/simclr"), LogisticRegression())  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: str = "nwucla/simclr",
        skeleton: str = "",
        units: str = "m",
        device: str = "cpu",
    ) -> None:
        self.weights = weights
        self.skeleton = skeleton
        self.units = units
        self.device = device

    def fit(self, clips: Sequence[Source], y: Any = None) -> "SkeletonFeatures":
        """Load the encoder.

        clips: N of them, each (T, V, 3) or (T, M, V, 3), or a file.   y: is not looked at.
        Raises: UserError if there is no such encoder.
        """
        self.encoder_: Embedder = load(self.weights, self.device)
        self.n_features_out_: int = self.encoder_.width
        return self

    def transform(self, clips: Sequence[Source]) -> np.ndarray:
        """Features (N, D) float32 of clips.

        Raises: UserError for a clip that does not fit, sklearn's NotFittedError before fit().
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "encoder_")
        return self.encoder_.embed_all(clips, self.skeleton, self.units)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names (D,) of the features: simclr0, simclr1, ..., for set_output()."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "encoder_")
        method = self.encoder_.card.method
        return np.array([f"{method}{number}" for number in range(self.encoder_.width)], object)
