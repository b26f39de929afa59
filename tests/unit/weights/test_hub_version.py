"""Models on the hub: which are opened, from the cache or over the network, and which are refused with what to do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from devtools.hub_service import TOKEN, HubService, Repository
from nrdfer.core.errors import WeightsError
from nrdfer.weights.hub_address import parse_hub_address
from nrdfer.weights.hub_manifest import HubManifest, ManifestFile
from nrdfer.weights.hub_version import HubVersion, fetch_version, pinned

FILES = {"model.json": b"{}", "last.safetensors": b"tensors" * 100, "README.md": b"# a card"}
REPO = "someone/net"


def manifest(files: dict[str, bytes]) -> bytes:
    listed = {name: ManifestFile(len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}
    return HubManifest("nr-dfernet", ("neutral",), listed).to_json()


def publish(hub: HubService, *, private: bool = False, **changed: bytes) -> str:
    repository = hub.repositories.setdefault(REPO, Repository(private))
    return repository.commit({".gitattributes": b"x", "nrdfer.json": manifest(FILES), **FILES, **changed})


def fetch(address: str = f"hf://{REPO}") -> HubVersion:
    return fetch_version(parse_hub_address(address))


def test_a_branch_is_resolved_and_every_file_is_there(hub: HubService) -> None:
    commit = publish(hub)
    assert pinned(f"hf://{REPO}") == pinned(f"hf://{REPO}@main") == f"hf://{REPO}@{commit}"
    found = fetch()
    assert str(found.address) == f"hf://{REPO}@{commit}"
    assert {name: path.read_bytes() for name, path in found.files.items()} == FILES
    assert {request.token for request in hub.seen} == {None}  # which a public repository does not need
    assert {request.headers["user-agent"] for request in hub.seen} == {"nrdfer"}


def test_a_commit_that_is_in_the_cache_needs_no_network(hub: HubService) -> None:
    commit = publish(hub)
    fetch()
    hub.seen.clear()
    assert pinned(f"hf://{REPO}@{commit}") == f"hf://{REPO}@{commit}"
    fetch(f"hf://{REPO}@{commit}")
    assert hub.seen == []


def test_a_changed_byte_in_the_cache_is_downloaded_again(hub: HubService) -> None:
    commit = publish(hub)
    weights = fetch().files["last.safetensors"]
    weights.write_bytes(b"Tensors" + weights.read_bytes()[7:])
    assert fetch(f"hf://{REPO}@{commit}").files["last.safetensors"].read_bytes() == FILES["last.safetensors"]


def test_a_private_repository_is_opened_with_the_token_only(hub: HubService, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub, private=True)
    assert fetch().files
    assert [request.token for request in hub.seen][:2] == [None, TOKEN]
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(WeightsError, match="your token may not read it") as refused:
        fetch()
    assert "hf_another" not in str(refused.value)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(WeightsError, match=r"no token is on this machine.*`hf auth login`"):
        fetch()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pytorch_model.bin": b"pickle"}, r"holds pytorch_model.bin; only .safetensors"),
        ({"folder/run.py": b""}, r"holds folder/run.py"),
        ({"nrdfer.json": b"{}"}, "does not list a model's files"),
        ({"last.safetensors": b"Tensors" * 100}, r"last.safetensors|its sha256 is"),
        ({"last.safetensors": b"tensors" * 99}, "it has 693 bytes, and 700"),
        ({"nrdfer.json": manifest({**FILES, "more.json": b"1"})}, "more.json of its nrdfer.json is missing there"),
    ],
)
def test_what_is_not_as_it_was_published_is_refused(hub: HubService, changed: dict[str, bytes], words: str) -> None:
    publish(hub, **changed)
    with pytest.raises(WeightsError, match=words) as refused:
        fetch()
    assert f"hf://{REPO}@" in str(refused.value)


@pytest.mark.parametrize("answer", ["../../../secrets", "main", "", "0" * 40])
def test_an_answer_that_is_not_the_commit_asked_for_is_refused(hub: HubService, answer: str) -> None:
    commit = publish(hub)
    there = hub.repositories[REPO]
    there.at = lambda _: (answer, there.commits[-1][1])  # type: ignore[method-assign]
    for revision in (f"@{commit}", *([] if answer == "0" * 40 else ["@main", ""])):
        with pytest.raises(WeightsError, match="is refused: the hub answers with the commit"):
            fetch(f"hf://{REPO}{revision}")
    if answer != "0" * 40:
        with pytest.raises(WeightsError, match="the hub answers with the commit"):
            pinned(f"hf://{REPO}")


def test_what_nrdfer_did_not_publish_is_refused(hub: HubService) -> None:
    hub.repositories[REPO] = Repository(private=False)
    hub.repositories[REPO].commit({"model.safetensors": b"tensors"})
    with pytest.raises(WeightsError, match="only models that `nrdfer push` published"):
        fetch()


def test_unknown_names_and_revisions_are_told(hub: HubService) -> None:
    with pytest.raises(WeightsError, match=r"there is no repository someone/net on the hub, or it is private"):
        fetch()
    publish(hub)
    with pytest.raises(WeightsError, match="has no revision v9"):
        pinned(f"hf://{REPO}@v9")


def test_without_a_network_the_message_says_what_still_works(
    hub: HubService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match=r"cannot be asked about hf://someone/net .*hf://someone/net@COMMIT"):
        fetch()
