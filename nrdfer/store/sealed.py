"""Self-checking JSON files: each carries the digest of everything else in it.

For small files that vouch for others (manifests, receipts). Their content belongs to their writers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nrdfer.core.hashing import digest_of

SEAL = "seal"


def sealed(value: Mapping[str, Any], indent: int | None = None) -> str:
    """The text of the file, with its seal.

    Raises:
        TypeError: the value is not made of JSON's types.
        ValueError: it holds NaN or an infinity.
    """
    return json.dumps({**value, SEAL: digest_of(value)}, indent=indent)


def unsealed(text: bytes) -> dict[str, Any]:
    """Content of the file, without its seal.

    Raises:
        ValueError: it is not whole, or was changed.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict) or SEAL not in value:
        raise ValueError("it carries no seal")
    seal = value.pop(SEAL)
    if digest_of(value) != seal:
        raise ValueError("it has other content than when it was written")
    return value
