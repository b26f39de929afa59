"""Addresses of trained networks on the Hugging Face hub: ``hf://owner/name@revision``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nrdfer.core.errors import WeightsError
from nrdfer.core.plain_text import one_line

SCHEME = "hf://"
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_-])?"
_ADDRESS = re.compile(rf"hf://(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9_./-]{{0,99}}))?")
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class HubAddress:
    """A repository of models and, if one was given, the branch, tag or commit of it."""

    repo: str  # owner/name
    revision: str | None = None

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a whole commit, which always means the same files."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def parse_hub_address(text: str) -> HubAddress:
    """Read an address.

    Raises:
        WeightsError: it is none.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or ".." in text or "--" in found["repo"]:
        raise WeightsError(
            f"'{one_line(text[:200])}' is no address of a model on the hub; write hf://OWNER/NAME@REVISION, where the "
            "revision is a commit, a branch or a tag"
        )
    return HubAddress(found["repo"], found["revision"])
