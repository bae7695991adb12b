"""What PSTL and its baseline share: weak views and the projector with its batch standardisation."""

from torch import Generator, Tensor, nn

from pstl.config import Count, Frozen, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.barlow import barlow_twins, standardise
from pstl.methods._projector import project_views
from pstl.modules import BaseMethod
from pstl.ops import augment
from pstl.ops.collective import gather
from pstl.records import Problem
from pstl.skeletons import Skeleton


class BarlowConfig(Frozen):
    """Zhou et al., AAAI 2023. Defaults are the released code's values (PSTL spec 5 to 7)."""

    projector_width: Count = 6144
    off_diagonal_weight: NotNegative = 2e-4  # lambda
    padding_ratio: Count = 6  # temporal crop: padding of T // 6 frames at both ends
    shear_amplitude: NotNegative = 1.0
    rotation_deg: NotNegative = 30.0  # of the main axis
    small_rotation_deg: NotNegative = 1.0  # of the two other axes
    flip_probability: Share = 0.5
    # Released: one draw per batch and view; True is another method, kept for ablation.
    per_sample: bool = False


class BarlowMethod(BaseMethod):
    """An encoder, a three-layer projector without biases, and the views all branches start from."""

    cfg: BarlowConfig

    def __init__(self, cfg: BarlowConfig, encoder: nn.Module, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)  # type: ignore[arg-type]
        width = cfg.projector_width
        self.projector = nn.Sequential(
            nn.Linear(self.encoder.width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
        )

    def view(self, x: Tensor, rng: Generator) -> Tensor:
        """One weak view: crop, shear, rotate, swap sides, in this order (PSTL spec 6.1).

        x: (N, 3, T, V, M) -> same shape.
        """
        return weak_view(self.cfg, x, self.problem.skeleton, rng)

    def features(self, x: Tensor, drop: Tensor | None = None) -> Tensor:
        """Clip features of the global batch.   (N_rank, 3, T, V, M) -> (N, D)."""
        h = gather(self.encoder(x, drop).clip)
        if len(h) < 2:
            remedy = "choose a batch_size that leaves no remainder of 1, or drop_last"
            raise UserError(f"a batch of one clip cannot be standardised; {remedy}")
        return h

    def project(self, *views: Tensor) -> list[Tensor]:
        """Standardised projections of each view's clip features.

        (N, D) each -> (N, projector_width) each.
        """
        return [standardise(z) for z in project_views(self.projector, *views)]

    def barlow(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two standardised projections (N, projector_width)."""
        return barlow_twins(za, zb, self.cfg.off_diagonal_weight)


def weak_view(cfg: BarlowConfig, x: Tensor, skeleton: Skeleton, rng: Generator) -> Tensor:
    """See BarlowMethod.view.   x: (N, 3, T, V, M) -> same shape.

    Shear and the three rotations act as one 3x3 matrix: p' = p S Rx Ry Rz.
    """
    here, draws = augment.draws_for(x, cfg.per_sample)
    x = augment.crop(x, cfg.padding_ratio, rng, cfg.per_sample)
    shear = augment.shear(draws, cfg.shear_amplitude, rng)
    rotation = augment.rotation(draws, cfg.rotation_deg, cfg.small_rotation_deg, rng)
    x = augment.transform(x, (shear @ rotation)[here])
    return augment.swap_sides(x, skeleton.mirror, cfg.flip_probability, rng, cfg.per_sample)
