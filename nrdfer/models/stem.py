"""The convolutional stem: one frame in, one primary feature map F_i out (paper, section 3.2).

The paper does not describe its "three convolutional layers". The author's later code has one basic block a layer after
two 3x3 convolutions. With these blocks the published costs (Table 3) fit a ResNet-18 stem and not the two convolutions;
several hundred other designs fit them, too, with other widths. Dynamic and static branches belong to ``dsf``. Shapes:
N frames, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def conv3x3(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution without bias (batch normalisation follows)."""
    return nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels_in, channels_out, stride)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = conv3x3(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            projection = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels_out))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H / stride, W / stride), rounded up."""
        out = self.relu(self.bn1(self.conv1(x_NCHW)))
        summed: Tensor = self.bn2(self.conv2(out)) + self.shortcut(x_NCHW)
        activated: Tensor = self.relu(summed)
        return activated


def make_stem(kind: str, widths: Sequence[int], blocks: Sequence[int]) -> nn.Sequential:
    """Stem and residual layers: (N, 3, S, S) -> (N, widths[-1], s, s), s = S / 16 for three layers, rounded up.

    Args:
        kind: ``resnet7x7`` (published costs) or ``double3x3`` (the author's later code).
        widths: channels of the layers; each but the first halves height and width.
        blocks: basic blocks of the layers.

    Raises:
        ValueError: unknown `kind`.
    """
    first = widths[0]
    if kind == "resnet7x7":
        entry: list[nn.Module] = [nn.Conv2d(3, first, 7, 2, 3, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
    elif kind == "double3x3":
        entry = [conv3x3(3, first, 2), nn.BatchNorm2d(first), nn.ReLU()]
        entry += [conv3x3(first, first), nn.BatchNorm2d(first), nn.ReLU()]
    else:
        raise ValueError(f"stem must be 'resnet7x7' or 'double3x3', not {kind!r}")
    layers: list[nn.Module] = [*entry, nn.MaxPool2d(3, 2, 1)]
    channels = first
    for number, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        for block in range(count):
            layers.append(BasicBlock(channels, width, stride=2 if number and not block else 1))
            channels = width
    return nn.Sequential(*layers)
