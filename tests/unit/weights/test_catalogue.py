from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import BinaryIO

import huggingface_hub
import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.weights import catalogue as weights
from nrdfer.weights import hub
from nrdfer.weights.catalogue import (
    CATALOGUE,
    PinnedWeights,
    content_ids,
    resolve,
    sample_weights,
    verify,
)

CONTENT = b"weights of a small network"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 26\n"
SOURCE = "the bookshop at the corner"


def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 (git's own)


@pytest.fixture
def catalogue(monkeypatch):
    """Two small entries: one on the hub, pinned by sha256; one the user brings, pinned by git blob id."""
    entries = {
        "hosted": PinnedWeights(
            name="hosted",
            description="a hosted network",
            filename="folder/hosted.pth",
            licence="MIT",
            source=SOURCE,
            repo="someone/networks",
            repo_type="dataset",
            revision="a" * 40,
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        ),
        "brought": PinnedWeights(
            name="brought",
            description="a brought network",
            filename="brought.pth",
            licence="BSD",
            source=SOURCE,
            git_blob=blob_id(CONTENT),
        ),
    }
    monkeypatch.setattr(weights, "CATALOGUE", entries)
    return entries


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Stands in for the hub's transfer, over an empty cache: serves a file or fails; keeps what it was asked."""

    class Hub:
        content: bytes | None = CONTENT

        def __init__(self) -> None:
            self.asked: list[str] = []

        def transfer(self, url: str, target: BinaryIO, **_: object) -> None:
            self.asked.append(url)
            if self.content is None:
                raise OSError(113, "No route to host")
            target.write(self.content)

    fake = Hub()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "http_get", fake.transfer)
    return fake


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "weights"
    path.mkdir()
    return path


def test_ids_are_those_of_sha256sum_and_git(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT * 1000)
    sha256, blob = content_ids(path)
    assert sha256 == hashlib.sha256(CONTENT * 1000).hexdigest()
    said = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True).stdout.strip()
    assert blob == said


@pytest.mark.parametrize("name", ["hosted", "brought"])
def test_right_content_is_found_in_the_folder_under_any_name(catalogue, served, folder, name):
    (folder / "unrelated.bin").write_bytes(b"something else")
    (folder / "deep").mkdir()
    mine = folder / "deep" / "renamed.bin"
    mine.write_bytes(CONTENT)
    assert resolve(name, folder, allow_download=True) == mine
    assert served.asked == []  # the folder comes first


def test_a_file_may_be_given_itself(catalogue, served, folder):
    mine = folder / "x.pth"
    mine.write_bytes(CONTENT)
    assert resolve("hosted", mine) == mine


def test_wrong_content_under_the_right_name_is_refused_even_if_the_hub_has_it(catalogue, served, folder):
    (folder / "hosted.pth").write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsError, match=catalogue["hosted"].sha256) as caught:
        resolve("hosted", folder, allow_download=True)
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in str(caught.value)
    assert SOURCE in str(caught.value)
    assert served.asked == []


def test_a_good_copy_beside_a_bad_one_is_taken(catalogue, served, folder):
    (folder / "hosted.pth").write_bytes(CONTENT[::-1])
    good = folder / "hosted (1).pth"
    good.write_bytes(CONTENT)
    assert resolve("hosted", folder) == good


def test_cut_short_file_is_refused_with_both_sizes(catalogue, folder):
    (folder / "hosted.pth").write_bytes(CONTENT[:10])
    with pytest.raises(WeightsError, match=f"10 bytes, expected {len(CONTENT)}"):
        resolve("hosted", folder)


@pytest.mark.parametrize("name", ["hosted", "brought"])
def test_lfs_pointer_is_called_by_its_name(catalogue, folder, name):
    (folder / f"{name}.pth").write_bytes(POINTER)
    with pytest.raises(WeightsError, match="Git LFS pointer"):
        resolve(name, folder)


def test_hub_is_asked_for_the_pinned_revision_once(catalogue, served, folder):
    path = resolve("hosted", folder, allow_download=True)
    assert path.read_bytes() == CONTENT
    assert served.asked == [f"https://huggingface.co/datasets/someone/networks/resolve/{'a' * 40}/folder/hosted.pth"]
    assert resolve("hosted", folder) == path
    assert len(served.asked) == 1


def test_other_programs_find_what_was_downloaded(catalogue, served):
    path = resolve("hosted", allow_download=True)
    repo = {"repo_id": "someone/networks", "repo_type": "dataset", "revision": "a" * 40}
    assert huggingface_hub.try_to_load_from_cache(filename="folder/hosted.pth", **repo) == str(path)
    (scanned,) = huggingface_hub.scan_cache_dir().repos
    assert scanned.size_on_disk == len(CONTENT)


def test_no_connection_is_opened_without_permission(catalogue, served, folder):
    with pytest.raises(WeightsError, match="downloading is not allowed"):
        resolve("hosted", folder)
    assert served.asked == []


def test_hub_serving_other_content_is_refused(catalogue, served):
    served.content = b"x" * len(CONTENT)
    with pytest.raises(WeightsError, match="its sha256 is"):
        resolve("hosted", allow_download=True)
    with pytest.raises(WeightsError, match="not in the hub's local cache"):
        resolve("hosted")


def test_wrong_file_in_the_cache_says_how_it_is_replaced(catalogue, served):
    path = resolve("hosted", allow_download=True)
    path.write_bytes(POINTER)
    with pytest.raises(WeightsError, match=r"pointer, not weights\. `nrdfer weights fetch hosted` replaces it"):
        resolve("hosted")
    assert resolve("hosted", allow_download=True).read_bytes() == CONTENT


def test_failed_download_says_how_to_get_the_file_by_hand(catalogue, served, folder):
    served.content = None
    with pytest.raises(WeightsError) as caught:
        resolve("hosted", folder, allow_download=True)
    message = str(caught.value)
    for wanted in (SOURCE, str(folder), catalogue["hosted"].sha256, "hosted.pth", "No route to host"):
        assert wanted in message


def test_file_the_user_must_bring_says_where_from_what_and_where_to(catalogue, served, folder):
    with pytest.raises(WeightsError) as caught:
        resolve("brought", folder, allow_download=True)
    message = str(caught.value)
    for wanted in (SOURCE, str(folder), catalogue["brought"].git_blob, "brought.pth"):
        assert wanted in message
    assert served.asked == []


def test_missing_folder_is_named(catalogue, tmp_path):
    with pytest.raises(WeightsError, match="nowhere"):
        resolve("hosted", tmp_path / "nowhere")


def test_unknown_names_list_the_known():
    with pytest.raises(WeightsError, match="enlightengan"):
        resolve("retinanet")
    with pytest.raises(WeightsError, match="retinaface and enlightengan"):
        sample_weights("../../etc/passwd")


def test_unpinned_entries_cannot_be_made():
    with pytest.raises(ValueError, match="not pinned"):
        PinnedWeights(name="x", description="", filename="x", licence="", source="")
    with pytest.raises(ValueError, match="without a revision"):
        PinnedWeights(name="x", description="", filename="x", licence="", source="", sha256="0" * 64, repo="a/b")


def test_catalogue_is_well_formed():
    assert set(CATALOGUE) == {"retinaface-resnet50", "retinaface-mobilenet0.25", "enlightengan", "enlightengan-onnx"}
    for name, pinned in CATALOGUE.items():
        assert pinned.name == name
        assert pinned.licence
        assert pinned.source
        assert pinned.sha256 is None or re.fullmatch("[0-9a-f]{64}", pinned.sha256)
        assert pinned.git_blob is None or re.fullmatch("[0-9a-f]{40}", pinned.git_blob)
        assert pinned.repo is None or re.fullmatch("[0-9a-f]{40}", str(pinned.revision))


def test_published_detector_is_recognised(shared_dir):
    found = resolve("retinaface-mobilenet0.25", shared_dir / "weights")
    assert found == shared_dir / "weights" / "retinaface_mobilenet0.25.pth"
    with pytest.raises(WeightsError, match="ResNet50"):
        verify(found, CATALOGUE["retinaface-resnet50"])


@pytest.mark.parametrize("name", ["retinaface", "enlightengan"])
def test_sample_weights_ship_with_a_card_that_names_their_content(name):
    path = sample_weights(name)
    assert path.stat().st_size < 2_500_000
    card = Path(path.with_suffix(".md")).read_text(encoding="utf-8")
    assert content_ids(path)[0] in card


def test_a_file_that_may_not_be_read_hides_no_other(catalogue, folder, monkeypatch, caplog):
    denied, right = folder / "aaa-other-peoples.bin", folder / "my-name.pth"
    denied.write_bytes(CONTENT)
    right.write_bytes(CONTENT)
    real = os.open  # this user may be root, who may read everything

    def refuse(path, *options, **more):
        if path in map(str, (denied, folder / "brought.pth")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, *options, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert resolve("brought", folder) == right
    assert f"{denied} cannot be read (Permission denied)" in caplog.text
    right.unlink()
    denied.rename(folder / "brought.pth")
    with pytest.raises(WeightsError, match=r"brought\.pth cannot be read \(Permission denied\)"):
        resolve("brought", folder)
