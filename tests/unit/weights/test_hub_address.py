"""Addresses of models on the hub: which are read, and which are refused before anything is asked."""

from __future__ import annotations

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.weights.hub_address import HubAddress, parse_hub_address


def test_a_repository_with_and_without_a_revision() -> None:
    assert parse_hub_address("hf://someone/net.v2") == HubAddress("someone/net.v2")
    assert parse_hub_address("hf://someone/net@refs/pr/1") == HubAddress("someone/net", "refs/pr/1")
    whole = parse_hub_address(f"hf://someone/net@{'a' * 40}")
    assert whole.is_commit
    assert str(whole) == f"hf://someone/net@{'a' * 40}"
    assert not parse_hub_address(f"hf://someone/net@{'a' * 39}").is_commit


@pytest.mark.parametrize(
    "text",
    [
        "hf://net", "hf://a/b/c", "hf://../net", "hf://someone/..", "hf://someone/net@", "hf://someone/net@../x",
        "hf://some one/net", "hf://someone/net@-x", "hf://someone/net\n", "hf:/someone/net", "hf://a--b/net",
        f"hf://someone/{'x' * 97}",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(WeightsError, match=r"hf://OWNER/NAME@REVISION"):
        parse_hub_address(text)
