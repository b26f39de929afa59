"""All sections about this machine, and their report as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.config.resolve import profile_of_shell
from nrdfer.core.errors import NrdferError
from nrdfer.diagnostics import folders, hardware, packages, pretrained, servers, video_tools
from nrdfer.diagnostics.findings import Section


def examine() -> list[Section]:
    """Everything that can be found out within a second of a processor."""
    chosen = Section("profile")
    profile: Profile | None = None
    try:
        profile = profile_of_shell()
        chosen.facts["profile"] = profile.name
        chosen.note("ok", f"{profile.name} (NRDFER_PROFILE): {profile.description}")
    except NrdferError as error:
        chosen.note("missing", str(error))
    return [
        hardware.examine(),
        packages.examine(),
        packages.examine_gpu(),
        video_tools.examine(),
        chosen,
        pretrained.examine(profile),
        folders.examine_disks(),
        folders.examine_corpora(profile),
        servers.examine(),
    ]


def as_text(sections: Sequence[Section]) -> Iterator[str]:
    """The report, line by line."""
    for section in sections:
        yield section.name
        for finding in section.findings:
            yield f"  {finding.level:8} {finding.text}"
    lacking = sum(finding.level == "missing" for section in sections for finding in section.findings)
    if lacking:
        yield f"{lacking} missing for a first reproduction; each line above says what to do"
    else:
        yield "nothing is missing for a first reproduction"


def as_plain(sections: Sequence[Section]) -> dict[str, Any]:
    """The report for programs; free of secrets like the text."""
    return {
        "complete": all(section.complete for section in sections),
        "sections": [
            {
                "name": section.name,
                "complete": section.complete,
                "findings": [{"level": finding.level, "text": finding.text} for finding in section.findings],
                "facts": section.facts,
            }
            for section in sections
        ],
    }
