"""Pyramid Polymerizing Attention among body regions, parts and joints (PSP spec 5).

The coarse maps of attention are added into the finer ones.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pstl.backbones.dsta import SLOPE, initialise
from pstl.ops.dtypes import at_least_float32
from pstl.skeletons.pyramid import Pyramid


class Level(nn.Module):
    """Attention among the nodes of one level, by its own map or a polymerised one."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.relate = nn.Conv2d(width, 3 * width, 1)  # queries, keys, values
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width))

    def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The level's own map, tanh without softmax or scale, and its values.

        x: (P, C, T, W).   Returns: (P, heads, W, W) and (P, heads, C T / heads, W).
        """
        p, c, t, w = x.shape
        query, key, value = self.relate(x).view(p, 3, self.heads, c // self.heads * t, w).unbind(1)
        return torch.tanh(query.mT @ key / (c // self.heads * t)), value

    def gather(self, x: Tensor, attention: Tensor, value: Tensor) -> Tensor:
        """y[.., u] = sum_v attention[u, v] value[.., v], mixed, with x as a residual.

        x: (P, C, T, W).   Returns: the same shape.
        """
        return F.leaky_relu(self.mix((value @ attention.mT).reshape(x.shape)) + x, SLOPE)


class Polymerise(nn.Module):
    """Maps of bodies (P, C, T, V) -> pooled features (3, P, C): body, part, joint.

    recursive: the joints receive the polymerised map of the parts, and the body's only through it,
    as the abstract may be read; the released code adds the own maps of both (PSP spec 5).
    """

    def __init__(self, width: int, heads: int, pyramid: Pyramid, recursive: bool) -> None:
        super().__init__()
        self.body, self.part, self.joint = (Level(width, heads) for _ in range(3))
        self.recursive = recursive
        self.body_to_part = pyramid.body_to_part
        self.part_to_joint = pyramid.part_to_joint
        self.body_to_joint = pyramid.body_to_joint
        tables = {
            "body_of": pyramid.body_of,
            "part_of": pyramid.part_of,
            "body_of_part": pyramid.body_of_part,
        }
        for name, group_of in tables.items():
            self.register_buffer(f"{name}_pairs", pairs(group_of), persistent=False)
        self.register_buffer("body_mean", averaging(pyramid.body_of), persistent=False)
        self.register_buffer("part_mean", averaging(pyramid.part_of), persistent=False)
        self.body_of_pairs: Tensor
        self.part_of_pairs: Tensor
        self.body_of_part_pairs: Tensor
        self.body_mean: Tensor
        self.part_mean: Tensor
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) -> (3, P, C), at least float32."""
        # Small beside the encoder, and tanh of small numbers: never in bf16.
        with torch.autocast(x.device.type, enabled=False):
            joints = at_least_float32(x)
            bodies = joints @ self.body_mean.to(joints.dtype)
            parts = joints @ self.part_mean.to(joints.dtype)
            body_map, body_values = self.body.attend(bodies)
            part_map, part_values = self.part.attend(parts)
            joint_map, joint_values = self.joint.attend(joints)
            body_map, part_map, joint_map = self.polymerised(body_map, part_map, joint_map)
            outputs = (
                self.body.gather(bodies, body_map, body_values),
                self.part.gather(parts, part_map, part_values),
                self.joint.gather(joints, joint_map, joint_values),
            )
            return torch.stack([y.mean((2, 3)) for y in outputs])

    def polymerised(
        self, body: Tensor, part: Tensor, joint: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Own maps (P, heads, W, W) of each level -> the maps that are used."""
        part_used = part + self.body_to_part * spread(body, self.body_of_part_pairs)
        from_part = part_used if self.recursive else part
        joint_used = joint + self.part_to_joint * spread(from_part, self.part_of_pairs)
        if not self.recursive:
            joint_used = joint_used + self.body_to_joint * spread(body, self.body_of_pairs)
        return body, part_used, joint_used


def pairs(group_of: np.ndarray) -> Tensor:
    """Where the groups of every pair of nodes stand in a flat map of groups.

    group_of: (W,).
    Returns: (W, W) int64.
    """
    group = torch.from_numpy(group_of)
    return group[:, None] * (int(group.max()) + 1) + group[None, :]


def spread(coarse: Tensor, where: Tensor) -> Tensor:
    """Each entry of a coarse map copied to all pairs of finer nodes inside its groups.

    coarse: (P, heads, G, G).   where: (W, W), see pairs().   Returns: (P, heads, W, W).
    """
    return coarse.flatten(-2).index_select(-1, where.flatten()).unflatten(-1, where.shape)


def averaging(group_of: np.ndarray) -> Tensor:
    """(V, groups): a product with it is the mean over the members of each group."""
    member = F.one_hot(torch.from_numpy(group_of)).float()
    return member / member.sum(0)
