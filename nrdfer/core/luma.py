"""Luma, ITU-R BT.601: how much each colour adds to the brightness that is seen."""

from __future__ import annotations

#: Weights of red, green and blue.
LUMA = (0.299, 0.587, 0.114)
