"""Digests depend on what is meant, not on how it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.store import digest_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_digest_depends_on_meaning_not_on_order_or_container(value: Any) -> None:
    def mirrored(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: mirrored(item[key]) for key in reversed(list(item))}
        return tuple(mirrored(part) for part in item) if isinstance(item, list) else item

    assert digest_of(mirrored(value)) == digest_of(value)
    assert digest_of([value]) != digest_of(value)


def test_digest_is_canonical_json() -> None:
    assert digest_of({"b": (1, 2), "a": "é"}) == digest_of(json.loads('{"a": "\\u00e9", "b": [1, 2]}'))
    assert digest_of(1) == "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    with pytest.raises(ValueError, match="JSON"):
        digest_of({"lr": float("nan")})
