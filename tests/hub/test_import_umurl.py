"""UmURL's checkpoints. None could be had, so the released network is written again here in torch's
own layers, under the names of its code, with random weights.
"""

import pytest
import torch
from torch import Tensor, nn

from pstl.errors import UserError
from pstl.hub.import_weights import Told, import_weights
from pstl.ops.streams import STREAMS, convert
from pstl.skeletons import load
from pstl.train import encoder_file

WIDTH, FRAMES = 12, 64


class Released(nn.Module):
    """The encoder of github.com/HuiGuanLab/UmURL: what its state dict is called and computes."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        for letter in "jbm":
            embedding = nn.ModuleDict()
            for axis, size in (("t", numbers), ("s", FRAMES * 3)):
                embedding[f"{axis}_embedding"] = nn.Sequential(
                    nn.Linear(size, WIDTH),
                    nn.LayerNorm(WIDTH),
                    nn.ReLU(),
                    nn.Linear(WIDTH, WIDTH),
                )
            self.add_module(f"{letter}_emb", embedding)
        fusion, encoder = nn.ModuleDict(), nn.ModuleDict()
        for axis in "ts":
            fusion[f"{axis}_fusion"] = nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False))
            layer = nn.TransformerEncoderLayer(WIDTH, 1, WIDTH, 0.0, batch_first=True)
            stack = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
            encoder[f"{axis}_tr"] = stack
        positions = nn.Module()
        positions.register_buffer("pe", table()[None])
        encoder["pe"] = positions
        self.mm_fusion, self.ma_encoder = fusion, encoder

    def forward(self, x: Tensor, skeleton: str) -> Tensor:
        """Fused features (N, 2 width) of positions (N, 3, T, V, M)."""
        sums: dict[str, Tensor] = {}
        for stream in STREAMS:
            y = convert(x, load(skeleton), stream)
            tokens = {
                "t": y.permute(0, 2, 4, 3, 1).flatten(2),
                "s": y.permute(0, 4, 3, 2, 1).reshape(len(x), -1, FRAMES * 3),
            }
            embedding = self.get_submodule(f"{stream[0]}_emb")
            for axis, numbers in tokens.items():
                embedded = embedding.get_submodule(f"{axis}_embedding")(numbers) / 3
                sums[axis] = sums[axis] + embedded if axis in sums else embedded
        parts = []
        for axis, mean in sums.items():
            fused = self.mm_fusion.get_submodule(f"{axis}_fusion")(mean)
            if axis == "t":
                fused = fused + self.ma_encoder.get_submodule("pe").pe[:, :FRAMES]
            parts.append(self.ma_encoder.get_submodule(f"{axis}_tr")(fused).amax(1))
        return torch.cat(parts, dim=1)


def table() -> Tensor:
    """Positions of 200 frames."""
    positions = torch.zeros(200, WIDTH)
    for place in range(0, WIDTH, 2):
        angle = torch.arange(200) / 10000 ** (place / WIDTH)
        positions[:, place], positions[:, place + 1] = angle.sin(), angle.cos()
    return positions


def checkpoint(path, numbers):
    """A file as its trainer writes it. Returns: the network."""
    torch.manual_seed(0)
    network = Released(numbers).eval()
    state = {f"module.backbone.{name}": value for name, value in network.state_dict().items()}
    state |= {"module.j_projector.0.weight": torch.zeros(2, 2)}
    torch.save({"epoch": 451, "state_dict": state, "optimizer": {}}, path)
    return network


@pytest.mark.parametrize(("skeleton", "people"), [("kinect_v2", 2), ("kinect_v1", 1)])
def test_features_are_those_of_the_released_network(tmp_path, skeleton, people):
    """Names and shapes could fit and weights stand in each other's places."""
    joints = load(skeleton).joints
    network = checkpoint(tmp_path / "theirs.pth.tar", people * joints * 3)
    told = Told(skeleton if skeleton != "kinect_v2" else "")
    card = import_weights("umurl", tmp_path / "theirs.pth.tar", tmp_path / "encoder.pt", told)
    assert (card.stream, card.people, card.frames) == ("other", people, FRAMES)
    assert card.recipe == {"name": "spine300", "spine_up": False}
    encoder = encoder_file.load(tmp_path / "encoder.pt")[1]
    x = torch.randn(3, 3, FRAMES, joints, people)
    with torch.no_grad():
        torch.testing.assert_close(encoder(x).clip, network(x, skeleton), atol=1e-5, rtol=1e-5)


def test_what_does_not_fit_is_said_in_the_files_names(tmp_path):
    """Who looks into the file finds no name of ours there; nothing is written."""
    network = checkpoint(tmp_path / "theirs.pt", 150)
    state = network.state_dict()
    for name in list(state)[::7]:
        if name.endswith("pe.pe"):
            continue
        torch.save({key: value for key, value in state.items() if key != name}, tmp_path / "x.pt")
        with pytest.raises(UserError) as error:
            import_weights("umurl", tmp_path / "x.pt", tmp_path / "encoder.pt")
        assert name in str(error.value)
    for told, message in (
        (Told("kinect_v1"), "its weights are for 50 joints, expected the 20"),
        (Told(stream="bone"), "unknown stream 'bone'; umurl has other"),
    ):
        with pytest.raises(UserError, match=message):
            import_weights("umurl", tmp_path / "theirs.pt", tmp_path / "encoder.pt", told)
    assert not (tmp_path / "encoder.pt").exists()
