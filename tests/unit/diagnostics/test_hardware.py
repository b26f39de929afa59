from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.diagnostics import hardware


def groups(folder: Path, monkeypatch: pytest.MonkeyPatch, own: str, files: dict[str, str]) -> None:
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(hardware, "OWN_GROUP", folder / "own")
    monkeypatch.setattr(hardware, "GROUPS", folder / "cgroup")


def test_the_narrowest_limit_of_a_group_and_those_around_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "memory.max": "max\n",
        "job/memory.max": f"{3 << 30}\n",
        "job/step/memory.max": f"{8 << 30}\n",
        "job/cpu.max": "max 100000\n",
        "job/step/cpu.max": "150000 100000\n",
    }
    groups(tmp_path, monkeypatch, "0::/job/step\n", files)
    assert (hardware.memory_limit(), hardware.cpu_limit()) == (3 << 30, 1.5)
    found = hardware.examine()
    assert found.facts["memory_limit"] == 3 << 30
    assert any(line.level == "warning" and "this container may use 3.0 GiB" in line.text for line in found.findings)


def test_limits_of_version_1_are_read_and_its_largest_number_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "memory/box/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "cpu/box/cpu.cfs_quota_us": "50000",
        "cpu/box/cpu.cfs_period_us": "100000",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
    }
    groups(tmp_path, monkeypatch, "5:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box\n", files)
    assert (hardware.memory_limit(), hardware.cpu_limit()) == (None, 0.5)


@pytest.mark.parametrize("text", ["", "nonsense", "1 0"])
def test_files_that_are_not_understood_limit_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    groups(tmp_path, monkeypatch, "0::/\n", {"memory.max": text, "cpu.max": text})
    assert (hardware.memory_limit(), hardware.cpu_limit()) == (None, None)
    monkeypatch.setattr(hardware, "OWN_GROUP", tmp_path / "nothing")
    assert hardware.memory_limit() is None
