"""Features on a page: t-SNE of some test clips, or principal components where there are too few."""

import numpy as np

MOST = 500  # clips of a map: more would be black on a phone, and slow
PERPLEXITY = 30.0


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
    plane = _principal(x)
    if len(x) <= 3 * PERPLEXITY or not x.shape[1]:
        return plane, "principal components"
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        return plane, "principal components (t-SNE needs scikit-learn)"
    # Distances in 50 principal components: as usual, and quick.
    start = 1e-4 * plane / max(float(plane[:, 0].std()), 1e-12)
    drawn = TSNE(
        2, perplexity=PERPLEXITY, init=start, learning_rate="auto", random_state=0, n_jobs=1
    ).fit_transform(_principal(x, 50))
    return drawn.astype(np.float64), "t-SNE"


def _principal(x: np.ndarray, count: int = 2) -> np.ndarray:
    """Scores (N, count) of the first principal components of centred x (N, D).

    Signs are fixed, so that a picture is not mirrored by chance.
    """
    if not x.shape[1]:
        return np.zeros((len(x), count))
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    scores = u[:, :count] * s[:count]
    signs = np.sign(scores[np.abs(scores).argmax(0), np.arange(scores.shape[1])])
    scores = scores * np.where(signs == 0, 1, signs)
    return np.pad(scores, ((0, 0), (0, count - scores.shape[1])))
