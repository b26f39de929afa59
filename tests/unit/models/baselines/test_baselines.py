"""What sets each rival apart; what is asked of all of them is in ``test_model_registry``."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nrdfer.models.baselines.c3d import C3D, C3DSettings
from nrdfer.models.baselines.ec_stfl import ECSTFL, ECSTFLSettings
from nrdfer.models.baselines.former_dfer import FormerDFER, FormerDFERSettings
from nrdfer.models.baselines.i3d import I3D, pad_same
from nrdfer.models.baselines.p3d import P3D, P3DBlock, P3DSettings
from nrdfer.models.baselines.r2plus1d import R2Plus1D
from nrdfer.models.baselines.reslstm import ResLSTM, ResLSTMSettings
from nrdfer.models.baselines.resnet3d import ResNet3D, ResNet3DSettings
from nrdfer.models.baselines.resnet3d_center_loss import CenterLossSettings, ResNet3DCenterLoss
from nrdfer.models.baselines.resnet18_gru import ResNet18GRU, ResNet18GRUSettings
from nrdfer.models.baselines.vgg11_lstm import VGG11LSTM, VGG11LSTMSettings, averaging
from nrdfer.models.baselines.video_resnet import R3D18, R2Plus1D18
from nrdfer.models.layers3d import MaxPool3d
from nrdfer.models.losses import ec_stfl_loss


def _clips(batch: int = 2, size: int = 48) -> torch.Tensor:
    return torch.rand(batch, 16, 3, size, size, generator=torch.Generator().manual_seed(0))


def _shapes(network: nn.Module, kind: type[nn.Module], call: Any) -> list[tuple[int, ...]]:
    """Output shapes of all layers of a kind."""
    shapes: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape)))
    call()
    return shapes


@pytest.mark.slow
def test_c3d_keeps_time_in_its_first_pooling_and_ends_with_one_frame() -> None:
    with torch.device("meta"):
        network = C3D()
        shapes = _shapes(network, nn.Conv3d, lambda: network(torch.empty(1, 16, 3, 112, 112)))
    assert [shape[1:] for shape in shapes] == [
        (64, 16, 112, 112),
        (128, 16, 56, 56),
        (256, 8, 28, 28),
        (256, 8, 28, 28),
        (512, 4, 14, 14),
        (512, 4, 14, 14),
        (512, 2, 7, 7),
        (512, 2, 7, 7),
    ]
    assert C3DSettings().flat == 8192
    assert not any(isinstance(module, nn.BatchNorm3d) for module in network.modules())


def test_3d_resnet_halves_everything_after_a_stem_that_keeps_time() -> None:
    with torch.device("meta"):
        network = ResNet3D()
        volume = network.trunk(torch.empty(1, 3, 16, 112, 112))
        stem = network.trunk[0](torch.empty(1, 3, 16, 112, 112))
    assert stem.shape == (1, 64, 16, 56, 56)
    assert volume.shape == (1, 512, 1, 4, 4)


def test_factorised_convolutions_have_the_channels_that_the_papers_rule_gives() -> None:
    with torch.device("meta"):
        network = R2Plus1D()
    between = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv3d) and m.kernel_size[0] == 1]
    assert between[0] == 83  # floor(3 * 7 * 7 * 3 * 64 / (7 * 7 * 3 + 3 * 64))
    assert between[1] == 144  # floor(27 * 64 * 64 / (9 * 64 + 3 * 64))
    assert 42 in between  # the first shortcut's, floor(64 * 128 / (64 + 128))
    assert all(m.bias is not None for m in network.modules() if isinstance(m, nn.Conv3d))


@pytest.mark.parametrize("kind", ["A", "B", "C", "2D"])
def test_the_three_blocks_of_p3d(kind: str) -> None:
    torch.manual_seed(0)
    block, x = P3DBlock(kind, 4, 3, 2).eval(), torch.randn(2, 4, 5, 6, 6)
    reduced = F.relu(block.reduce(x))
    space = F.relu(block.space(reduced))
    if kind == "2D":
        mixed = space
    else:
        assert block.time is not None
        time_of = {"A": space, "B": reduced, "C": space}[kind]
        time = F.relu(block.time(time_of))
        mixed = time if kind == "A" else space + time
    expected = F.relu(block.expand(mixed) + block.shortcut(x))
    torch.testing.assert_close(block(x), expected)
    assert block(x).shape == (2, 12, 5, 3, 3)


def test_p3d_takes_the_blocks_in_turn_and_ends_flat() -> None:
    with torch.device("meta"):
        network = P3D(P3DSettings(depth=63))
        volume = network.trunk(torch.empty(1, 3, 16, 112, 112))
    kinds = [m.kind for m in network.modules() if isinstance(m, P3DBlock)]
    assert kinds == [*"ABCABCABCABCA", "2D", "2D", "2D"]
    assert volume.shape == (1, 2048, 1, 4, 4)


@pytest.mark.parametrize("size", [5, 6, 7, 8, 56, 112])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 1), (3, 2), (2, 2), (1, 1)])
def test_same_padding(size: int, kernel: int, stride: int) -> None:
    x = torch.ones(1, 1, size, size, size)
    padded = pad_same(x, (kernel,) * 3, (stride,) * 3)
    assert F.max_pool3d(padded, kernel, stride).shape[2:] == (-(-size // stride),) * 3
    line = padded[0, 0, :, padded.shape[3] // 2, padded.shape[4] // 2].tolist()
    before, after = line.index(1.0), line[::-1].index(1.0)
    assert 0 <= after - before <= 1


def test_i3d_ends_with_two_frames_of_1024_channels() -> None:
    with torch.device("meta"):
        network = I3D()
        volume = network.trunk(torch.empty(1, 3, 16, 112, 112))
    assert volume.shape == (1, 1024, 2, 4, 4)
    assert network.trunk[0].conv.weight.shape == (64, 3, 7, 7, 7)


@pytest.mark.parametrize(("size", "out"), [(3, 7), (7, 7), (2, 7), (5, 2), (10, 7)])
def test_averaging_is_adaptive_pooling(size: int, out: int) -> None:
    line = torch.rand(1, 1, size)
    torch.testing.assert_close(averaging(size, out) @ line[0, 0], F.adaptive_avg_pool1d(line, out)[0, 0])


def test_vgg_weights_that_can_be_computed_are_not_stored() -> None:
    settings = VGG11LSTMSettings(image_size=48, width=2, grid=2, features=5, hidden=4)
    assert not any("average" in name for name in VGG11LSTM(settings).state_dict())


def test_recurrent_rivals_read_frames_in_order() -> None:
    torch.manual_seed(0)
    network = ResNet18GRU(ResNet18GRUSettings(image_size=48, width=4, hidden=5)).eval()
    x = _clips()
    with torch.no_grad():
        states = network.recurrent(network.frame_network(x.flatten(0, 1)).view(2, 16, -1))[0]
        torch.testing.assert_close(network.represent(x), states[:, -1], rtol=0, atol=1e-5)
        assert (network(x) - network(x.flip(1))).abs().max() > 1e-5


def test_c3d_of_dfews_authors_normalises_every_convolution_and_the_other_keeps_its_settings() -> None:
    with torch.device("meta"):
        normed = C3D(dataclasses.replace(C3DSettings(), norm=True))
    kinds = [type(module) for module in normed.convolutions if not isinstance(module, MaxPool3d)]
    assert kinds == [nn.Conv3d, nn.BatchNorm3d, nn.ReLU] * 8
    assert "norm" not in C3DSettings().to_dict()  # what was trained before it could be set is found again
    assert normed.settings.to_dict()["norm"] is True


def _torchvision_names(split: bool) -> set[str]:
    """Names of convolutions, norms and the classifier as torchvision's files have them."""
    inner = ("0.0", "0.1", "0.3", "1") if split else ("0", "1")
    names = {f"stem.{n}" for n in ((0, 1, 3, 4) if split else (0, 1))} | {"fc"}
    for layer in range(1, 5):
        names |= {f"layer{layer}.{block}.conv{n}.{part}" for block in (0, 1) for n in (1, 2) for part in inner}
        names |= {f"layer{layer}.0.downsample.{n}" for n in (0, 1)} if layer > 1 else set()
    return names


@pytest.mark.parametrize(("kind", "split"), [(R3D18, False), (R2Plus1D18, True)])
def test_torchvisions_forms_have_its_names(kind: type[R3D18 | R2Plus1D18], split: bool) -> None:
    with torch.device("meta"):
        network = kind()
        volume = network.stem(torch.empty(1, 3, 16, 112, 112))
        features = network.represent(torch.empty(1, 16, 3, 112, 112))
    assert {name.rsplit(".", 1)[0] for name in network.state_dict()} == _torchvision_names(split)
    assert volume.shape == (1, 64, 16, 56, 56)
    assert features.shape == (1, 512)
    assert [name for name, p in network.named_parameters() if name.endswith("bias") and "fc" in name] == ["fc.bias"]
    assert all(m.bias is None for m in network.modules() if isinstance(m, nn.Conv3d))


def test_r2plus1d_18_has_torchvisions_channels_between_space_and_time() -> None:
    with torch.device("meta"):
        state = R2Plus1D18().state_dict()
    shapes = {name: tuple(state[name].shape[:2]) for name in state if state[name].ndim == 5}
    assert shapes["stem.0.weight"] == (45, 3)
    assert shapes["layer1.0.conv1.0.0.weight"] == (144, 64)
    assert shapes["layer2.0.conv1.0.0.weight"] == (230, 64)
    assert shapes["layer2.0.conv2.0.0.weight"] == (230, 128)  # the block's, not this convolution's own 288
    assert shapes["layer4.1.conv2.0.3.weight"] == (512, 1152)


def test_reslstm_reads_every_state() -> None:
    torch.manual_seed(0)
    network = ResLSTM(ResLSTMSettings(image_size=48, width=4, hidden=5)).eval()
    assert network.recurrent.num_layers == 3
    assert network.head.in_features == 16 * 5
    with torch.no_grad():
        assert network.represent(_clips()).shape == (2, 80)
    with torch.device("meta"):
        assert ResLSTM().trunk(torch.empty(1, 3, 112, 112)).shape == (1, 2048, 4, 4)


def test_former_dfer_sees_places_in_frames_and_frames_in_time() -> None:
    torch.manual_seed(0)
    small = FormerDFERSettings(image_size=48, width=4, heads=2, spatial_dim_head=4, temporal_dim_head=4)
    network = FormerDFER(small).eval()
    assert network.place_QC.shape == (9, 16)
    assert network.time_TD.shape == (17, 32)
    mean = FormerDFER(FormerDFERSettings(image_size=48, width=4, class_token=False)).eval()
    assert mean.time_TD.shape == (16, 32)
    assert mean.token_D is None
    x = _clips()
    with torch.no_grad():
        assert (network(x) - network(x.flip(1))).abs().max() > 1e-5
        assert mean(x).shape == (2, 7)


def test_objectives_add_their_loss_to_cross_entropy() -> None:
    x, y = _clips(4), torch.tensor([0, 0, 3, 6])
    torch.manual_seed(0)
    center = ResNet3DCenterLoss(CenterLossSettings(image_size=48, width=4, center_weight=0.1)).eval()
    clustered = ECSTFL(ECSTFLSettings(image_size=48, width=4, clustering_weight=2.0)).eval()
    plain = ResNet3D(ResNet3DSettings(image_size=48, width=4)).eval()
    with torch.no_grad():
        for network, added in [
            (center, lambda f: 0.1 * 0.5 * f.square().sum(1).mean()),
            (clustered, lambda f: 2.0 * ec_stfl_loss(f, y)),
            (plain, lambda f: 0.0),
        ]:
            loss, logits = network.objective(x, y)
            extra = added(network.represent(x))
            torch.testing.assert_close(loss, F.cross_entropy(logits, y) + extra)
            assert network is plain or float(extra) > 0


def test_centres_move_only_while_learning() -> None:
    torch.manual_seed(0)
    network = ResNet3DCenterLoss(CenterLossSettings(image_size=48, width=4))
    x, y = _clips(4), torch.tensor([0, 0, 3, 6])
    network.eval().objective(x, y)
    assert network.center_loss.centres_KD.abs().sum() == 0
    network.train().objective(x, y)
    moved = network.center_loss.centres_KD.abs().sum(1) > 0
    assert moved.tolist() == [True, False, False, True, False, False, True]
