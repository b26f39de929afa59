"""A profile's parts as the settings of the stage that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nrdfer.config.profile import Profile, build_settings

if TYPE_CHECKING:
    from nrdfer.faces.align_clip import AlignSettings


def align_settings(profile: Profile) -> AlignSettings:
    """Detection and alignment.

    Raises:
        ProfileError: a setting that is not known, or a value that is refused.
    """
    from nrdfer.faces.align_clip import AlignSettings

    return build_settings(AlignSettings, profile.align, f"profile {profile.name}: align")
