"""The generator of EnlightenGAN (Jiang et al. 2021, arXiv:1906.06972): a U-Net guided by an attention map.

Only the network is here; reading weights files and turning frames into tensors belongs to `nrdfer.enhance.enhancer`.
The names and shapes of all 131 tensors are those of ``Unet_resize_conv`` in github.com/VITA-Group/EnlightenGAN with the
options of its published run, so the published weights load strictly. The discriminators are not needed.

Shape legend: B batch, C channels (RGB), H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nrdfer.core.luma import LUMA

_LEVELS = 5
MULTIPLE = 2 ** (_LEVELS - 1)  # four halvings: both sides must be multiples of 16 inside the network


class EnlightenGenerator(nn.Module):
    """U-Net with five levels; 8.637 million parameters at the published width of 32.

    Args:
        base_channels: channels of the first level; each level below doubles them. 32 is the published
            network.
    """

    def __init__(self, base_channels: int = 32) -> None:
        super().__init__()
        if base_channels < 1:
            raise ValueError(f"base_channels must be at least 1, not {base_channels}")
        self.base_channels = base_channels
        widths = [base_channels * 2**level for level in range(_LEVELS)]
        # Going down: levels 1 to 5. The attention map is the fourth input channel.
        before = 4
        for level, width in enumerate(widths, start=1):
            self._add_pair(level, before, width)
            before = width
        # Going up: levels 6 to 9. "deconv" is the original's name for what is an upsampling and a
        # convolution.
        for level, width in enumerate(reversed(widths[:-1]), start=_LEVELS + 1):
            self.add_module(f"deconv{level - 1}", nn.Conv2d(2 * width, width, 3, padding=1))
            self._add_pair(level, 2 * width, width, last=level == 2 * _LEVELS - 1)
        self.conv10 = nn.Conv2d(base_channels, 3, 1)

    def _add_pair(self, level: int, before: int, width: int, *, last: bool = False) -> None:
        self.add_module(f"conv{level}_1", nn.Conv2d(before, width, 3, padding=1))
        self.add_module(f"bn{level}_1", nn.BatchNorm2d(width))
        self.add_module(f"conv{level}_2", nn.Conv2d(width, width, 3, padding=1))
        if not last:  # the original has no normalisation after conv9_2
            self.add_module(f"bn{level}_2", nn.BatchNorm2d(width))

    def _layer(self, name: str, x_BCHW: Tensor) -> Tensor:
        """Convolution, leaky ReLU, then normalisation: in this order in the original."""
        x_BCHW = F.leaky_relu(self.get_submodule(f"conv{name}")(x_BCHW), 0.2)
        normalise = self._modules.get(f"bn{name}")
        return x_BCHW if normalise is None else normalise(x_BCHW)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Brighten pictures.

        Args:
            x_BCHW: RGB in 0..1. Sides that are not multiples of 16 are padded by reflection, centred, and cut
                again.

        Returns:
            y_BCHW: RGB in 0..1, clipped, same shape.

        Raises:
            ValueError: not three channels, or a side below 16 pixels (reflection has nothing to reflect).
        """
        return self.unclipped(x_BCHW).clamp(0.0, 1.0)

    def unclipped(self, x_BCHW: Tensor) -> Tensor:
        """As `forward`, before clipping: what a loss should see, since clipped pixels have no gradient."""
        _, channels, height, width = x_BCHW.shape
        if channels != 3 or min(height, width) < MULTIPLE:
            raise ValueError(
                f"the generator takes (B, 3, H, W), H and W at least {MULTIPLE}, not {tuple(x_BCHW.shape)}"
            )
        extra_h, extra_w = -height % MULTIPLE, -width % MULTIPLE
        top, left = extra_h // 2, extra_w // 2
        if extra_h or extra_w:
            x_BCHW = F.pad(x_BCHW, (left, extra_w - left, top, extra_h - top), mode="reflect")
        luma = x_BCHW.new_tensor(LUMA).view(1, 3, 1, 1)
        attention_B1HW = 1.0 - (x_BCHW * luma).sum(dim=1, keepdim=True)
        # The original works in -1..1, where the output is x + latent * attention; halved, the same step in
        # 0..1.
        y_BCHW = x_BCHW + 0.5 * self._latent(x_BCHW, attention_B1HW) * attention_B1HW
        if not (extra_h or extra_w):
            return y_BCHW
        return y_BCHW[..., top : top + height, left : left + width]

    def _latent(self, x_BCHW: Tensor, attention_B1HW: Tensor) -> Tensor:
        attention = [attention_B1HW]
        for _ in range(_LEVELS - 1):
            attention.append(F.max_pool2d(attention[-1], 2))
        skips: list[Tensor] = []
        h = torch.cat((2.0 * x_BCHW - 1.0, attention_B1HW), dim=1)
        for level in range(1, _LEVELS):
            h = self._layer(f"{level}_2", self._layer(f"{level}_1", h))
            skips.append(h * attention[level - 1])
            h = F.max_pool2d(h, 2)
        h = self._layer("5_2", self._layer("5_1", h) * attention[-1])
        for level in range(_LEVELS + 1, 2 * _LEVELS):
            # align_corners=False: what every current PyTorch does with the original's code (its 2018 one
            # differed).
            h = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
            h = torch.cat((self.get_submodule(f"deconv{level - 1}")(h), skips.pop()), dim=1)
            h = self._layer(f"{level}_2", self._layer(f"{level}_1", h))
        latent_BCHW: Tensor = self.conv10(h)
        return latent_BCHW
