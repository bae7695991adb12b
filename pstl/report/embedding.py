"""Features on a page: t-SNE of some test clips, or principal components where there are too few."""

from typing import Any

import numpy as np

MOST = 300  # clips of a map: more would be black on a phone, and slow
PERPLEXITY = 30.0
COMPONENTS = 50  # whose distances t-SNE keeps: as usual, and quick
STEPS = 500  # of t-SNE's descent, half of scikit-learn's: a picture of groups, no measurement


def chosen(clips: int) -> np.ndarray:
    """Numbers (n,) of at most MOST clips, spread evenly over the file: the same for all methods."""
    return np.unique(np.linspace(0, clips - 1, min(clips, MOST)).round().astype(int))


def to_plane(features: np.ndarray) -> tuple[np.ndarray, str]:
    """(N, D) -> (N, 2), and what made it. The same features give the same plane.

    Features are standardised before. Source of t-SNE: van der Maaten and Hinton, JMLR 2008, as
    scikit-learn has it; initialised with principal components.
    """
    x = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    spread = x.std(0)
    x = x[:, spread > 0] / spread[spread > 0]
    if len(x) <= 3 * PERPLEXITY or not x.shape[1]:
        return _principal(x, 2), "principal components"
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError:
        return _principal(x, 2), "principal components (t-SNE needs scikit-learn)"
    settings: Any = {"perplexity": PERPLEXITY, "max_iter": STEPS, "random_state": 0}
    with threadpool_limits(1):  # several threads wait for one another most of the time
        components = _principal(x, COMPONENTS)
        start = 1e-4 * components[:, :2] / max(float(components[:, 0].std()), 1e-12)
        drawn = TSNE(2, init=start, learning_rate="auto", **settings).fit_transform(components)
    return drawn.astype(np.float64), "t-SNE"


def _principal(x: np.ndarray, count: int) -> np.ndarray:
    """Scores (N, count) of the first principal components of centred x (N, D).

    By the smaller of the two matrices of products: features are often far more than clips. Signs
    are fixed, so that a picture is not mirrored by chance.
    """
    if len(x) <= x.shape[1]:
        squares, vectors = np.linalg.eigh(x @ x.T)
        scores = vectors * np.sqrt(squares.clip(0.0))
    else:
        scores = x @ np.linalg.eigh(x.T @ x)[1]
    scores = scores[:, ::-1][:, :count]
    greatest = np.abs(scores).argmax(0)
    signs = np.sign(scores[greatest, np.arange(scores.shape[1])])
    scores = scores * np.where(signs == 0, 1, signs)
    return np.pad(scores, ((0, 0), (0, count - scores.shape[1])))
