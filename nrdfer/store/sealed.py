"""A value as a JSON file that says itself whether it is whole: it carries the digest of everything else in it.

For small files that vouch for others (manifests, receipts). What they say is their writers' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nrdfer.core.hashing import digest_of

SEAL = "seal"


def sealed(value: Mapping[str, Any], indent: int | None = None) -> str:
    """The text of the file.

    Raises:
        TypeError: the value is not made of JSON's types.
        ValueError: it holds NaN or an infinity.
    """
    return json.dumps({**value, SEAL: digest_of(value)}, indent=indent)


def unsealed(text: bytes) -> dict[str, Any]:
    """What the file says, without its seal.

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
        raise ValueError("it has another content than when it was written")
    return value
