"""Plug-ins of installed packages: found without an import, and refused with what is wrong and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nrdfer.core.errors import PluginError, ProfileError
from nrdfer.core.plugins import NETWORKS, find_plugin, find_plugins, recorded_plugin
from tests.unit.packages import forget, install

BUILT_IN = ("c3d",)
SOURCE = "class Net:\n    pass\n"


def test_a_plug_in_is_found_by_its_name_without_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "face-nets", SOURCE, {NETWORKS: {"small": "Net"}}, "1.2")
    plugin = find_plugin(NETWORKS, "small", BUILT_IN)
    code = plugin.code()
    assert (code["package"], code["version"], len(code["sha256"])) == ("face-nets", "1.2", 64)
    assert "face_nets" not in sys.modules
    assert plugin.load().__name__ == "Net"
    assert recorded_plugin(NETWORKS, "small", code, BUILT_IN) == plugin


def test_a_name_that_nobody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "face-nets", SOURCE, {NETWORKS: {"small": "Net"}})
    with pytest.raises(ProfileError, match=r"there is no model 'smal'; known are c3d, small\."):
        find_plugin(NETWORKS, "smal", BUILT_IN)


def test_names_that_cannot_be_used_leave_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "a", monkeypatch, "nets-a", SOURCE, {NETWORKS: {"twice": "Net", "c3d": "Net", "../x": "Net"}})
    install(tmp_path / "b", monkeypatch, "nets-b", SOURCE, {NETWORKS: {"twice": "Net", "good": "Net"}})
    found = find_plugins(NETWORKS, BUILT_IN)
    assert list(found.plugins) == ["good"]
    assert "nets-b 1.0 and nets-a 1.0 both give a network the name twice" in found.problems["twice"]
    assert "nets-a 1.0 gives a network the name c3d, which a built-in one has" in found.problems["c3d"]
    assert "cannot be used as a name: it holds '/'" in found.problems["../x"]
    with pytest.raises(PluginError, match="neither is used"):
        find_plugin(NETWORKS, "twice", BUILT_IN)


@pytest.mark.parametrize("listing", ["top_level.txt", "RECORD"])
def test_a_record_covers_every_module_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str
) -> None:
    install(tmp_path, monkeypatch, "face-nets", SOURCE, {NETWORKS: {"small": "Net"}})
    alone = find_plugin(NETWORKS, "small", BUILT_IN).code()
    layers = tmp_path / "face_layers" / "parts.py"
    layers.parent.mkdir()
    layers.write_text("WIDTH = 3\n")
    listed = {"top_level.txt": "face_layers\nface_nets\n", "RECORD": "face_nets.py,,\nface_layers/parts.py,,\n"}
    (tmp_path / "face_nets-1.0.dist-info" / listing).write_text(listed[listing])
    forget("face_layers", monkeypatch)
    code = find_plugin(NETWORKS, "small", BUILT_IN).code()
    assert code["sha256"] != alone["sha256"]
    layers.write_text("WIDTH = 4\n")
    with pytest.raises(PluginError, match="with other source files"):
        recorded_plugin(NETWORKS, "small", code, BUILT_IN)
    assert "face_layers" not in sys.modules


def test_a_package_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import sys\n\nsys.exit('no licence')\n"
    install(tmp_path, monkeypatch, "broken-nets", source, {NETWORKS: {"broken": "Net"}})
    with pytest.raises(PluginError) as refused:
        find_plugin(NETWORKS, "broken", BUILT_IN).load()
    assert "network broken of broken-nets 1.0 cannot be imported (broken_nets:Net): SystemExit: no licence " in str(
        refused.value
    )
    assert "(broken_nets.py, line 3)" in str(refused.value)


def test_a_record_needs_that_package_that_version_and_those_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = install(tmp_path, monkeypatch, "face-nets", SOURCE, {NETWORKS: {"small": "Net"}}, "1.0")
    code = find_plugin(NETWORKS, "small", BUILT_IN).code()
    for changed, words in (
        ({"version": "0.9"}, "version 1.0 is installed, which may compute otherwise"),
        ({"package": "other-nets"}, "here, network small of face-nets 1.0 has that name"),
        ({"sha256": "0" * 64}, r"with other source files \(sha256 "),
    ):
        with pytest.raises(PluginError, match=words):
            recorded_plugin(NETWORKS, "small", {**code, **changed}, BUILT_IN)
    for odd in ({"package": "x' --index-url 'y"}, {"package": "-r"}, {"package": ""}, {"version": "1.0'; rm -r ~ #"}):
        with pytest.raises(PluginError, match="which cannot be; the model's record is wrong") as refused:
            recorded_plugin(NETWORKS, "small", {**code, **odd}, BUILT_IN)
        assert "pip install" not in str(refused.value)
    path.write_text(SOURCE + "# another line\n")
    forget("face_nets", monkeypatch)
    with pytest.raises(PluginError, match="with other source files"):
        recorded_plugin(NETWORKS, "small", code, BUILT_IN)
    with pytest.raises(PluginError, match=r"it is not installed\. Install it: pip install 'face-nets==1\.0'"):
        recorded_plugin(NETWORKS, "gone", code, BUILT_IN)
