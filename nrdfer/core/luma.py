"""Luma, ITU-R BT.601: the weight of each colour in perceived brightness."""

from __future__ import annotations

#: Weights of red, green and blue.
LUMA = (0.299, 0.587, 0.114)
