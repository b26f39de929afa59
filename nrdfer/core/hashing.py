"""Names by content: the digest of a value and of a file.

Only hashing belongs here; which values make up a step's digest is decided in `artifacts`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nrdfer.core.atomic_files import open_plain


def digest_of(value: Any) -> str:
    """sha256 (hex) of a value as canonical JSON: keys sorted, no spaces, ASCII; tuples count as lists.

    Raises:
        TypeError: the value is not made of JSON's types.
        ValueError: it holds NaN or an infinity, which JSON has no word for.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a regular file's content, read in blocks."""
    with open_plain(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
