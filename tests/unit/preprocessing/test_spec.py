from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from nrdfer.config.alignment import AlignSettings
from nrdfer.config.profile import Profile, WeightsConfig
from nrdfer.core.errors import NrdferError, ProfileError, WeightsError
from nrdfer.preprocessing.spec import FILE, Preprocessing
from nrdfer.store import file_sha256
from nrdfer.weights.catalogue import sample_weights


@pytest.fixture
def plain(sample_shell: None) -> Preprocessing:
    weights = WeightsConfig(retinaface="sample", enlightengan="sample")
    return Preprocessing.of_profile(Profile("p", "", weights=weights, align=AlignSettings(max_side=360)))


def test_what_a_profile_does_survives_a_file(plain: Preprocessing, tmp_path: Path) -> None:
    plain.write(tmp_path / FILE)
    assert Preprocessing.read(tmp_path / FILE) == plain
    assert plain.align.max_side == 360
    assert plain.enhance == "crop"
    assert plain.retinaface.sha256 == file_sha256(sample_weights("retinaface"))
    assert plain.retinaface.locate("retinaface") == sample_weights("retinaface")
    without = dataclasses.replace(plain, enhance="none", enlightengan=None)
    assert Preprocessing.from_dict(json.loads(json.dumps(without.to_dict()))) == without


def test_a_file_of_ones_own_is_found_by_its_content(
    plain: Preprocessing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "a" / "mine.safetensors"
    mine.parent.mkdir()
    mine.write_bytes(sample_weights("retinaface").read_bytes())
    changed, told = plain.overridden(retinaface=str(mine))
    assert told == ()  # the same content under another name
    assert changed.retinaface.locate("retinaface") == mine
    moved = tmp_path / "b" / "renamed.safetensors"
    moved.parent.mkdir()
    mine.rename(moved)
    with pytest.raises(WeightsError, match=r"mine\.safetensors with sha256 .*name another one explicitly"):
        changed.retinaface.locate("retinaface")
    monkeypatch.setenv("NRDFER_WEIGHTS", str(moved.parent))
    assert changed.retinaface.locate("retinaface") == moved


def test_other_weights_under_the_same_name_are_refused(plain: Preprocessing) -> None:
    other = dataclasses.replace(plain.retinaface, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"is not the retinaface file .* expected 0000"):
        other.locate("retinaface")


def test_overrides_are_told(plain: Preprocessing) -> None:
    changed, told = plain.overridden(enhance="none", target="largest", min_track=9)
    assert changed.enlightengan is None
    assert told == (
        "target largest instead of presence",
        "min_track 9 instead of 5",
        "enhance none instead of crop",
    )
    again, _ = changed.overridden(enhance="frame")
    assert again.enlightengan == plain.enlightengan
    assert plain.overridden() == (plain, ())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"enhance": "gamma"}, "enhance is 'gamma'"),
        ({"target": "tallest"}, "target 'tallest' is not known"),
        ({"retinaface": "nowhere.pth"}, "neither 'sample', nor a known name"),
        ({"retinaface": "sample", "detector": "middle"}, "'middle' and RetinaFace's weights 'sample': give one"),
    ],
)
def test_overrides_that_cannot_be_meant_are_refused(plain: Preprocessing, values: dict[str, str], words: str) -> None:
    with pytest.raises(NrdferError, match=words):
        plain.overridden(**values)


def test_files_that_say_something_else_are_refused(plain: Preprocessing, tmp_path: Path) -> None:
    for content, words in [("", "does not describe"), ("[1]", "holds a list"), ('{"schema": 99}', "schema 99")]:
        (tmp_path / FILE).write_text(content)
        with pytest.raises(WeightsError, match=words):
            Preprocessing.read(tmp_path / FILE)
    (tmp_path / FILE).write_text(json.dumps({**plain.to_dict(), "colour": "red"}))
    with pytest.raises(ProfileError, match="unknown setting colour"):
        Preprocessing.read(tmp_path / FILE)
    with pytest.raises(ProfileError, match="contradict"):
        Preprocessing.from_dict({**plain.to_dict(), "enhance": "none"})


def test_another_detector_brings_the_usual_max_side(plain: Preprocessing, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    other.write_bytes(b"other weights")
    changed, told = plain.overridden(retinaface=str(other))
    assert changed.align.max_side == AlignSettings().max_side == 640
    assert told[0] == "max_side 640 instead of 360"
    assert plain.overridden(retinaface=str(other), max_side=200)[0].align.max_side == 200
    assert plain.overridden(retinaface="sample")[0].align.max_side == 360
    large = dataclasses.replace(plain, align=dataclasses.replace(plain.align, max_side=1280))
    assert large.overridden(retinaface=str(other))[0].align.max_side == 1280
