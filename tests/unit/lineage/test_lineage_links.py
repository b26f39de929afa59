"""Links and files' digests: the same thing counts once, and what is wrong is said in words."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nrdfer.lineage.hashes import Hashes
from nrdfer.lineage.links import Chain, Link, broken_in
from nrdfer.lineage.show import chain_lines


def test_a_thing_that_two_versions_share_is_broken_once() -> None:
    shard = Link("shard", "dfew/shards: dfew-000000.tar", "/store/dfew-000000.tar", "a" * 64, "missing")
    chains = [Chain(f"models:/m/{k}", (), (Link("MLflow run", "fd", f"run {k}"), shard)) for k in (1, 2)]
    assert broken_in(chains) == [shard]
    assert chains[0].to_dict()["broken"] == 1


def test_links_are_found_by_place_digest_and_id() -> None:
    digest = hashlib.sha256(b"").hexdigest()
    chain = Chain("models:/m/1", (), (Link("source video", "clip", "/videos/clip.avi", digest),))
    for wanted in ("/videos/clip.avi", digest, digest[:8], "clip"):
        assert len(chain.matching(wanted)) == 1
    assert not chain.matching(digest[:7])  # too short to mean one thing


def test_much_of_a_kind_is_counted_and_what_is_broken_is_named() -> None:
    videos = [Link("source video", f"{i:03d}", f"/v/{i}", "b" * 64) for i in range(20)]
    videos[7] = Link("source video", "007", "/v/7", "b" * 64, "has other content")
    text = "\n".join(chain_lines(Chain("models:/m/1", ("champion", "fd1"), tuple(videos))))
    assert "models:/m/1  @champion @fd1" in text
    assert "19 of 20" in text and "000 ... 019" in text
    assert "BROKEN  source video: 007: has other content  (/v/7)" in text


def test_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "shard.tar"
    path.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    counted: list[int] = []
    hashes = Hashes(seen=counted.append)
    assert hashes.problem(path, digest, 7) == ""
    assert hashes.problem(path, digest, 8) == "has 7 bytes instead of 8"
    assert hashes.problem(path, "0" * 64) == f"has other content: sha256 {digest[:12]}, recorded 000000000000"
    assert hashes.problem(tmp_path / "gone", digest) == "missing"
    assert counted == [1, 2, 3, 4]
    path.write_bytes(b"changed")
    assert Hashes(quick=True).problem(path, digest, 7) == ""  # quick: nothing is read
    assert hashes.problem(path, digest, 7) == ""  # read once, remembered
