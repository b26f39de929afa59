"""The augmentation of ``augment`` for a whole batch on a device: one ``grid_sample`` and one colour pass.

Two ways of computing the same change. They differ by rounding: OpenCV rounds source positions to 1/32 of a pixel and
warped values to whole levels, this does neither. `MEAN_LEVELS` and `MAX_LEVELS` bound the difference, at brightness 1;
brightness multiplies it. Shapes: B clips, T frames, H x W source pixels, S x S output pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nrdfer.data.augment import Change

#: Mean and largest difference between the two ways in levels of 255: pictures like photographs, and pure noise.
MEAN_LEVELS = {"smooth": 0.3, "noise": 1.0}
MAX_LEVELS = {"smooth": 2.0, "noise": 10.0}


def pack(changes: Sequence[Change], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Changes in the form that `apply_batch` takes, in CPU memory.

    Args:
        changes: of B clips.
        size: height and width of their frames.

    Returns:
        Matrices (B, 2, 3), output pixels to places from -1 to 1 in the source; colours (B, 2), brightness and contrast.
    """
    height, width = size
    inverse_B23 = np.array([change.inverse() for change in changes]).reshape(-1, 2, 3)
    # -1 and 1 are the centres of the outermost pixels.
    inverse_B23 *= np.array([[2 / max(width - 1, 1)], [2 / max(height - 1, 1)]])
    inverse_B23[:, :, 2] -= 1
    colours_B2 = np.array([(change.brightness, change.contrast) for change in changes], np.float32).reshape(-1, 2)
    return torch.from_numpy(inverse_B23.astype(np.float32)), torch.from_numpy(colours_B2)


@torch.no_grad()
def apply_batch(frames_BTHWC: Tensor, matrices_B23: Tensor, colours_B2: Tensor, out: int) -> Tensor:
    """Apply each clip's change to its frames, all at once.

    Args:
        frames_BTHWC: uint8 RGB.
        matrices_B23: see `pack`; on the frames' device.
        colours_B2: see `pack`; on the frames' device.
        out: S.

    Returns:
        (B, T, 3, S, S) float32, values 0 to 1: a view of memory whose last axis is the colours.
    """
    clips, frames, height, width, _ = frames_BTHWC.shape
    planes_BNHW = frames_BTHWC.permute(0, 1, 4, 2, 3).reshape(clips, frames * 3, height, width).float()
    pixel_S = torch.arange(out, dtype=torch.float32, device=frames_BTHWC.device)
    # Not a matrix product: on a GPU its positions might be rounded to TF32's ten bits.
    a_B2, b_B2, c_B2 = (matrices_B23[:, None, None, :, k] for k in range(3))
    grid_BSS2 = a_B2 * pixel_S[None, None, :, None] + (b_B2 * pixel_S[None, :, None, None] + c_B2)
    # aligned corners and reflection are cv2's BORDER_REFLECT_101
    warped_BNSS = F.grid_sample(planes_BNHW, grid_BSS2, "bilinear", "reflection", align_corners=True)
    brightness_B, contrast_B = (colours_B2[:, k, None, None, None] for k in range(2))
    mean_B = warped_BNSS.mean((1, 2, 3), keepdim=True)
    gain_B, offset_B = contrast_B * brightness_B / 255, mean_B * (1 - contrast_B) * brightness_B / 255
    coloured_BTCSS = torch.addcmul(offset_B, warped_BNSS, gain_B).clamp_(0, 1).view(clips, frames, 3, out, out)
    return coloured_BTCSS.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
