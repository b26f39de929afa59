"""Five faults of a corpus and a machine at once are five reasons, in one list; what would work is not refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from devtools.dfew_tree import Clip, write_labels
from nrdfer.config.profile import Profile, load_profile
from nrdfer.core import disk
from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import CORPORA
from nrdfer.preflight import check, clips, machine, room
from nrdfer.preflight.network import Question, network_faults
from nrdfer.preflight.plan import Fault, NotReadyError, Plan
from nrdfer.runtime import nvidia
from pipelines.resources import PROFILES

ALL = frozenset(
    asset
    for corpus in (CORPORA["dfew"], CORPORA["afew"])
    for asset in (
        corpus.asset(corpus.listing),
        *(corpus.asset(step) for step in ("aligned_faces", "enhanced_faces") if corpus.videos),
        corpus.asset("shards"),
        *(corpus.asset("checkpoint", split) for split in corpus.splits),
    )
)


def not_asked(question: Question) -> list[Fault] | None:
    return None


@pytest.fixture(autouse=True)
def machine_without_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(nvidia, "find_cards", nvidia.Cards)


@pytest.fixture
def dfew(tmp_path: Path) -> Path:
    """A copy of DFEW with ten clips of each emotion, a fifth of them in each fold, and pictures that nobody opens."""
    root = tmp_path / "DFEW"
    made = [
        Clip(f"{10 * number + clip + 1:05d}", emotion, clip % 5 + 1, 1)
        for number, emotion in enumerate(EMOTIONS)
        for clip in range(10)
    ]
    (root / "EmoLabel_DataSplit").mkdir(parents=True)
    write_labels(root / "EmoLabel_DataSplit", made)
    for clip in made:
        folder = root / "Clip" / "clip_224x224" / clip.clip_id
        folder.mkdir(parents=True)
        (folder / f"{clip.clip_id}_00001.jpg").touch()
    return root


def paper(tmp_path: Path, **changes: Any) -> Profile:
    (tmp_path / "weights").mkdir(exist_ok=True)
    weights = {"folder": str(tmp_path / "weights"), "retinaface": "sample", "enlightengan": "enlightengan"}
    values = {"weights": weights, "device": "cpu", "engine": {"device": "cpu"}, **changes}
    return load_profile(PROFILES / "paper.yaml", values)


def test_five_faults_are_five_reasons(tmp_path: Path, dfew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1 << 20)
    profile = paper(
        tmp_path,
        corpora={"dfew_root": str(dfew), "afew_root": str(tmp_path / "nowhere")},
        dfew_recipe={"name": "dfew-paper", "batch": 64},
        engine={"device": "cuda"},
    )
    found = check.find_faults(Plan(profile, ALL), not_asked)
    told = {fault.where: str(fault) for fault in found}
    assert set(told) == {
        "AFEW", "DFEW, training", "weights of enlightengan", "GPU (engine: device: cuda)", "disk"
    }, told  # fmt: skip
    assert f"the folder {tmp_path / 'nowhere'} does not exist" in told["AFEW"]
    assert "a batch of 64 clips is larger than the training list of fd1, which has 56" in told["DFEW, training"]
    assert "200_net_G_A.pth" in told["weights of enlightengan"] and "enhance: none" in told["weights of enlightengan"]
    assert "no NVIDIA card" in told["GPU (engine: device: cuda)"]
    assert "the weights of 6 trainings" in told["disk"] and "1.0 MiB are free" in told["disk"]
    error = str(NotReadyError(found))
    assert error.startswith("nothing was started, because 5 faults were found") and error.count("\n") == 5


def test_what_is_in_the_store_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(paper(tmp_path), ALL)
    assert {need.what for need in room.needs_of(plan, {"dfew": 900_000})} == {
        "DFEW's shards", "the weights of 6 trainings"
    }  # fmt: skip
    for asset in ("dfew/shards", "dfew/fd1/checkpoint"):  # made with other settings, or just begun
        (tmp_path / "home" / "store" / asset / ("0" * 64)).mkdir(parents=True)
    assert [need.what for need in room.needs_of(plan, {"dfew": 900_000})] == ["the weights of 5 trainings"]


def test_a_corpus_that_can_be_trained_on_has_no_fault(tmp_path: Path, dfew: Path) -> None:
    profile = paper(tmp_path, corpora={"dfew_root": str(dfew)})
    only = frozenset(asset for asset in ALL if asset.startswith("dfew"))
    assert check.find_faults(Plan(profile, only), not_asked) == []  # EnlightenGAN's file is AFEW's


def test_a_batch_counts_only_where_something_is_trained(tmp_path: Path, dfew: Path) -> None:
    profile = paper(tmp_path, corpora={"dfew_root": str(dfew)}, dfew_recipe={"name": "dfew-paper", "batch": 64})
    data = frozenset({"dfew/clips", "dfew/shards"})
    assert check.find_faults(Plan(profile, data), not_asked) == []


def test_both_corpora_without_a_folder_are_named_with_what_can_be_run(tmp_path: Path) -> None:
    found = list(clips.source_faults(Plan(paper(tmp_path), ALL)))
    assert [fault.where for fault in found] == ["DFEW", "AFEW"]
    assert "profile 'paper'" in found[0].text and "Set NRDFER_DFEW_ROOT=" in found[0].text
    assert "nrdfer run --only afew" in found[0].text


def test_rendered_lists_are_known_before_they_are_rendered() -> None:
    profile = load_profile(PROFILES / "quick.yaml", {"dfew_recipe": {"batch": 29}})
    found = check.find_faults(Plan(profile, ALL), not_asked)
    assert [fault.where for fault in found] == ["DFEW, training"] and "which has 28" in found[0].text
    assert check.find_faults(Plan(load_profile(PROFILES / "quick.yaml"), ALL), not_asked) == []


def test_a_missing_emotion_is_a_fault_unless_the_recipe_allows_it(tmp_path: Path) -> None:
    lists = {"fd2": clips.Lists(EMOTIONS[1:] * 8, EMOTIONS * 2), "fd3": clips.Lists((), ())}  # fd3 is not trained
    for allowed, count in ((False, 1), (True, 0)):
        recipe = {"name": "dfew-paper", "absent_emotions": allowed}
        plan = Plan(paper(tmp_path, dfew_recipe=recipe), frozenset({"dfew/fd2/checkpoint"}))
        found = list(clips.training_faults(plan, CORPORA["dfew"], lists))
        assert len(found) == count
        assert all(f"the training list of fd2 has no clip of {EMOTIONS[0]}" in fault.text for fault in found)


def test_face_pictures_alone_need_the_weights_that_a_registered_version_records(tmp_path: Path, dfew: Path) -> None:
    corpus = CORPORA["dfew"]
    trained = frozenset({corpus.asset("clips"), corpus.asset("shards"), corpus.asset("checkpoint", "fd1")})
    profile = paper(tmp_path, corpora={"dfew_root": str(dfew)})
    assert list(machine.weights_faults(Plan(profile, trained))) == []
    [fault] = machine.weights_faults(Plan(profile, trained | {corpus.asset("evaluation", "fd1")}))
    assert fault.where == "weights of enlightengan"
    without = paper(tmp_path, corpora={"dfew_root": str(dfew)}, enhance="none")
    assert list(machine.weights_faults(Plan(without, trained | {corpus.asset("evaluation", "fd1")}))) == []


def test_weights_that_will_be_downloaded_are_no_fault_and_offline_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    weights = {"folder": str(tmp_path / "weights"), "retinaface": "retinaface-resnet50", "enlightengan": "sample"}
    profile = paper(tmp_path, weights=weights)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert machine.weights_problem(profile, "retinaface") is None
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "Resnet50" in str(machine.weights_problem(profile, "retinaface"))


@pytest.mark.parametrize(
    ("device", "cards", "build", "refused"),
    [
        ("cpu", nvidia.Cards("580.1"), nvidia.TorchBuild("2", None), ""),
        ("auto", nvidia.Cards(), nvidia.TorchBuild("2", None), ""),
        ("cuda", nvidia.Cards(), nvidia.TorchBuild("2", None), "no NVIDIA card"),
        ("cuda", nvidia.Cards(), nvidia.TorchBuild("2", None, other_gpus=True), ""),
        ("auto", nvidia.Cards("580.1", virtual=True), nvidia.TorchBuild("2", None), "is a build for CPUs"),
        ("auto", nvidia.Cards("580.1", virtual=True), nvidia.TorchBuild("2", "13.0"), ""),
    ],
)
def test_devices(
    device: str,
    cards: nvidia.Cards,
    build: nvidia.TorchBuild,
    refused: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(nvidia.HIDING, raising=False)
    monkeypatch.setattr(nvidia, "find_cards", lambda: cards)
    monkeypatch.setattr(nvidia, "torch_build", lambda: build)
    problem = machine.device_problem(device)
    assert refused in str(problem) if refused else problem is None


def test_an_up_to_date_run_reads_no_corpus_and_asks_for_no_network(
    tmp_path: Path, dfew: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Any:
        raise AssertionError("an up-to-date run must not wait for this")

    monkeypatch.setattr(type(CORPORA["dfew"]), "read", never)
    monkeypatch.setattr(Plan, "absent", frozenset())
    profile = paper(tmp_path, corpora={"dfew_root": str(dfew)})
    only = frozenset(asset for asset in ALL if asset.startswith("dfew"))
    assert check.find_faults(Plan(profile, only), never) == []


def test_a_file_system_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, dfew: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def hang(self: Corpus, root: Path) -> Any:
        time.sleep(5)

    monkeypatch.setattr(type(CORPORA["dfew"]), "read", hang)
    profile = paper(tmp_path, corpora={"dfew_root": str(dfew)})
    begun = time.monotonic()
    found = check.find_faults(Plan(profile, frozenset({"dfew/clips"})), not_asked, patience=0.2)
    assert found == [] and time.monotonic() - begun < 4
    assert "dfew could not be checked" in caplog.text


def test_the_network_is_built_as_the_steps_will() -> None:
    profile = load_profile(PROFILES / "quick.yaml", {"model_settings": {"stem": "vgg"}})
    (fault,) = network_faults(Question(profile.written, ["dfew", "afew"], devices=True))
    assert "profile quick" in fault.text and "stem must be" in fault.text
