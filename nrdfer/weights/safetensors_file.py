"""Weights written as safetensors, the same bytes for the same tensors.

Reading them belongs to `nrdfer.models.state_dict` and the modules that own the networks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from nrdfer.core.atomic_files import write_whole


def save_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and their metadata as a safetensors file, whole or not at all; same input, same bytes."""
    data = save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, dict(metadata))
    # The format: the header's length in 8 bytes, a JSON header, the tensors. The library writes the metadata
    # in random order; sorted, the same training gives the same file.
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    data = len(header).to_bytes(8, "little") + header + data[8 + length :]
    write_whole(path, data)
