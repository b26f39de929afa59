"""The RetinaFace network (Deng et al. 2019) with MobileNetV1-0.25 or ResNet-50 as its body.

Parameter names equal those of github.com/biubug6/Pytorch_Retinaface (and of github.com/ternaus/retinaface),
so that published state dicts load strictly: 300 tensors for MobileNetV1-0.25, 456 for ResNet-50. Colour
order, resizing, anchors and decoding do not belong here: see `nrdfer.faces.detector` and
`nrdfer.faces.priors`.

Shape legend: B batch, C channels, H, W picture size, P anchors (two for each cell of three strides: 8, 16,
32).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Backbone = Literal["mobilenet0.25", "resnet50"]
BACKBONES: tuple[str, ...] = get_args(Backbone)

ANCHORS_PER_CELL = 2


def _conv_bn(n_in: int, n_out: int, *, kernel: int = 3, stride: int = 1, slope: float | None = None) -> nn.Sequential:
    """Convolution and batch norm, then a leaky ReLU unless `slope` is None (a slope of 0 is a plain ReLU)."""
    layers: list[nn.Module] = [
        nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
    ]
    if slope is not None:
        layers.append(nn.LeakyReLU(slope, inplace=True))
    return nn.Sequential(*layers)


def _depthwise(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """MobileNetV1's separable convolution: 3x3 for each channel, then 1x1 across channels."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_in, 3, stride, padding=1, groups=n_in, bias=False),
        nn.BatchNorm2d(n_in),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Conv2d(n_in, n_out, 1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.LeakyReLU(0.1, inplace=True),
    )


class MobileNetBody(nn.Module):
    """MobileNetV1 at a quarter of its width, cut after strides 8, 16 and 32 (64, 128 and 256 channels)."""

    channels = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _conv_bn(3, 8, stride=2, slope=0.1),
            _depthwise(8, 16, 1),
            _depthwise(16, 32, 2),
            _depthwise(32, 32, 1),
            _depthwise(32, 64, 2),
            _depthwise(64, 64, 1),
        )
        self.stage2 = nn.Sequential(_depthwise(64, 128, 2), *(_depthwise(128, 128, 1) for _ in range(5)))
        self.stage3 = nn.Sequential(_depthwise(128, 256, 2), _depthwise(256, 256, 1))

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Feature maps at strides 8, 16 and 32."""
        stride8 = self.stage1(x_BCHW)
        stride16 = self.stage2(stride8)
        return [stride8, stride16, self.stage3(stride16)]


class _Bottleneck(nn.Module):
    """ResNet's 1x1, 3x3, 1x1 residual block; the stride sits in the 3x3 convolution."""

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = 4 * width
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        shortcut = x_BCHW if self.downsample is None else self.downsample(x_BCHW)
        y = F.relu(self.bn1(self.conv1(x_BCHW)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + shortcut)


class ResNet50Body(nn.Module):
    """ResNet-50 without its classifier, cut after strides 8, 16 and 32 (512, 1024 and 2048 channels)."""

    channels = (512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self._layer(64, 64, 3, stride=1)
        self.layer2 = self._layer(256, 128, 4, stride=2)
        self.layer3 = self._layer(512, 256, 6, stride=2)
        self.layer4 = self._layer(1024, 512, 3, stride=2)

    @staticmethod
    def _layer(n_in: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        rest = (_Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))
        return nn.Sequential(_Bottleneck(n_in, width, stride), *rest)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Feature maps at strides 8, 16 and 32."""
        x = F.relu(self.bn1(self.conv1(x_BCHW)))
        x = self.layer1(F.max_pool2d(x, 3, 2, padding=1))
        stride8 = self.layer2(x)
        stride16 = self.layer3(stride8)
        return [stride8, stride16, self.layer4(stride16)]


class _FeaturePyramid(nn.Module):
    """Top-down sums of the three feature maps, all brought to `n_out` channels."""

    def __init__(self, channels: tuple[int, int, int], n_out: int, slope: float) -> None:
        super().__init__()
        self.output1 = _conv_bn(channels[0], n_out, kernel=1, slope=slope)
        self.output2 = _conv_bn(channels[1], n_out, kernel=1, slope=slope)
        self.output3 = _conv_bn(channels[2], n_out, kernel=1, slope=slope)
        self.merge1 = _conv_bn(n_out, n_out, slope=slope)
        self.merge2 = _conv_bn(n_out, n_out, slope=slope)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + F.interpolate(coarse, size=middle.shape[2:], mode="nearest"))
        fine = self.merge1(fine + F.interpolate(middle, size=fine.shape[2:], mode="nearest"))
        return [fine, middle, coarse]


class _ContextModule(nn.Module):
    """Three receptive fields (3x3, 5x5 and 7x7 made of stacked 3x3) side by side, after the SSH detector."""

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        quarter = channels // 4
        self.conv3X3 = _conv_bn(channels, channels // 2)
        self.conv5X5_1 = _conv_bn(channels, quarter, slope=slope)
        self.conv5X5_2 = _conv_bn(quarter, quarter)
        self.conv7X7_2 = _conv_bn(quarter, quarter, slope=slope)
        self.conv7x7_3 = _conv_bn(quarter, quarter)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        shared = self.conv5X5_1(x_BCHW)
        fields = [self.conv3X3(x_BCHW), self.conv5X5_2(shared), self.conv7x7_3(self.conv7X7_2(shared))]
        return F.relu(torch.cat(fields, dim=1))


class _Head(nn.Module):
    """One 1x1 convolution which predicts `n` numbers an anchor: (B, C, h, w) -> (B, h * w * anchors, n)."""

    def __init__(self, channels: int, n: int) -> None:
        super().__init__()
        self.n = n
        self.conv1x1 = nn.Conv2d(channels, ANCHORS_PER_CELL * n, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW: Tensor = self.conv1x1(x_BCHW)
        return y_BCHW.permute(0, 2, 3, 1).reshape(x_BCHW.shape[0], -1, self.n)


class RetinaFaceNet(nn.Module):
    """RetinaFace: body, feature pyramid, context modules and three heads.

    Args:
        backbone: "mobilenet0.25" (0.43 M parameters, 64 pyramid channels) or "resnet50" (27.3 M, 256
            channels).

    Raises:
        ValueError: the backbone is neither of the two.
    """

    def __init__(self, backbone: Backbone = "mobilenet0.25") -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"RetinaFace backbone {backbone!r} is not known; use one of {', '.join(BACKBONES)}")
        self.backbone: Backbone = backbone
        small = backbone == "mobilenet0.25"
        self.body = MobileNetBody() if small else ResNet50Body()
        width, slope = (64, 0.1) if small else (256, 0.0)
        self.fpn = _FeaturePyramid(self.body.channels, width, slope)
        self.ssh1 = _ContextModule(width, slope)
        self.ssh2 = _ContextModule(width, slope)
        self.ssh3 = _ContextModule(width, slope)
        self.ClassHead = nn.ModuleList(_Head(width, 2) for _ in range(3))
        self.BboxHead = nn.ModuleList(_Head(width, 4) for _ in range(3))
        self.LandmarkHead = nn.ModuleList(_Head(width, 10) for _ in range(3))

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw predictions for every anchor, in the order of `nrdfer.faces.priors.prior_boxes`.

        Args:
            x_BCHW: float picture, normalised by the convention its weights were trained with.

        Returns:
            Encoded boxes (B, P, 4), logits (B, P, 2) of background and face, encoded points (B, P, 10).
        """
        pyramid = self.fpn(self.body(x_BCHW))
        maps = [self.ssh1(pyramid[0]), self.ssh2(pyramid[1]), self.ssh3(pyramid[2])]
        boxes_BP4 = torch.cat([head(m) for head, m in zip(self.BboxHead, maps, strict=True)], dim=1)
        logits_BP2 = torch.cat([head(m) for head, m in zip(self.ClassHead, maps, strict=True)], dim=1)
        points_BP10 = torch.cat([head(m) for head, m in zip(self.LandmarkHead, maps, strict=True)], dim=1)
        return boxes_BP4, logits_BP2, points_BP10
