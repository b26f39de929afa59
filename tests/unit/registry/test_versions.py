"""A checkpoint is one version: whole, with signature, example and card, loaded without pickle, answering as offline."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nrdfer import registry
from nrdfer.core import file_locks
from nrdfer.evaluation.inference import predict_clips
from nrdfer.models.saved_model import load_model
from nrdfer.models.trained_files import LAST
from nrdfer.publish.model_files import crops_content
from nrdfer.registry import logged_models as logged
from nrdfer.registry import tags
from nrdfer.registry.logged_models import find_logged
from nrdfer.registry.verified_open import model_id_of
from nrdfer.registry.versions import Facts, log_best
from nrdfer.serving.registered_model import load_registered
from nrdfer.tracking.client import Tracking
from tests.unit.registry.registered import NAME, listed, make_checkpoint, model_folder, register


def test_a_checkpoint_is_registered_once_and_answers_as_offline(tracking: Tracking, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    first, second = register(tracking, folder), register(tracking, folder)
    assert (first.version, first.created, second.version, second.created) == ("1", True, "1", False)
    registry.point_alias(tracking, NAME, registry.CHAMPION, first.version)
    settings, weights = registry.find_weights(f"models:/{NAME}@{registry.CHAMPION}")
    assert settings.read_bytes() == (folder / "model.json").read_bytes()
    assert weights.read_bytes() == (folder / LAST).read_bytes()
    served = load_registered(f"models:/{NAME}@{registry.CHAMPION}")
    clips = np.random.default_rng(0).random((3, 16, 3, 40, 40), dtype=np.float32)
    answer = served.predict(clips)
    logits, final = predict_clips(load_model(settings, weights), torch.from_numpy(clips))
    np.testing.assert_allclose(answer.filter(like="logit_"), logits.numpy(), atol=1e-6)
    np.testing.assert_allclose(answer.filter(like="probability_"), final.numpy(), atol=1e-6)


def test_a_version_has_signature_example_and_card_and_no_pickle(
    tracking: Tracking, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    import mlflow

    made = register(tracking, make_checkpoint(tmp_path / "checkpoint"))
    folder = model_folder(tracking, made.version)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"artifacts/last.safetensors", "artifacts/model.json", "model_card.md", "input_example.json"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pth", ".pt"))]
    assert set(listed(tracking, made.version)) == files
    assert [str(warning.message) for warning in recwarn if "pyfunc" in warning.filename] == []
    model = mlflow.pyfunc.load_model(str(folder))
    example = model.input_example["clip"]
    assert model.metadata.get_input_schema().inputs[0].shape == (-1, 16, 3, -1, -1)
    answer = model.predict({"clip": np.asarray(example, np.float32)})
    assert list(answer.columns) == [column.name for column in model.metadata.get_output_schema().inputs]
    requirements = (folder / "requirements.txt").read_text()
    assert "nrdfer" not in requirements  # an index may have another package of that name


def test_registering_leaves_the_trainings_run_as_it_ended(tracking: Tracking, tmp_path: Path) -> None:
    run = tracking.training_run("f" * 64, "fd1", None, {}, {})
    tracking.client.set_terminated(run, "FAILED", 1_000)
    made = register(tracking, make_checkpoint(tmp_path / "checkpoint"))
    found = tracking.client.get_run(run)
    assert (found.info.status, found.info.end_time) == ("FAILED", 1_000)
    version = tracking.client.get_model_version(NAME, made.version)
    (output,) = found.outputs.model_outputs
    assert (output.model_id, output.step) == (model_id_of(version), 3)
    logged = tracking.client.get_logged_model(output.model_id)
    assert [(metric.key, metric.value, metric.step) for metric in logged.metrics] == [("war", 0.5, 3)]


def test_the_best_epoch_is_a_logged_model_of_the_same_run(tracking: Tracking, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    (folder / "best.safetensors").write_bytes((folder / LAST).read_bytes())
    run = tracking.training_run("f" * 64, "fd1", None, {}, {})
    first = crops_content(folder, "best.safetensors", "# a card")
    again = replace(first, example=lambda: pytest.fail("an example is rendered for what is there"))
    for content in (first, again):
        log_best(tracking, run, content, Facts("f" * 64, "# a card", 2, {"war": 0.6}, {tags.FOLD: "fd1"}))
    (output,) = tracking.client.get_run(run).outputs.model_outputs
    assert (output.step, output.model_id) == (2, find_logged(tracking, run, "f" * 64, "paper"))
    assert not tracking.client.search_registered_models()


def test_two_that_log_one_best_epoch_at_once_take_nothing_from_each_other(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is in the middle of it when the second comes: to the lock, or as far as it gets without one."""
    content = crops_content(make_checkpoint(tmp_path / "checkpoint"), LAST, "# a card")
    facts = Facts("f" * 64, "# a card", 3, {"war": 0.5}, {tags.FOLD: "fd1"})
    run = tracking.training_run(facts.checkpoint_digest, "fd1", None, {}, {})
    half, second = threading.Event(), threading.Event()
    write, lock = logged._write, file_locks.held

    def slow_write(*arguments: Any) -> dict[str, str]:
        if half.is_set():
            second.set()
        else:
            half.set()
            assert second.wait(120)
        return write(*arguments)

    def noticed_lock(path: Path) -> Any:
        if half.is_set() and path.name == "registry.lock":
            second.set()
        return lock(path)

    monkeypatch.setattr(logged, "_write", slow_write)
    monkeypatch.setattr(file_locks, "held", noticed_lock)
    with ThreadPoolExecutor(2) as shells:
        one = shells.submit(log_best, tracking, run, content, facts)
        assert half.wait(120)
        other = shells.submit(log_best, Tracking(), run, content, facts)
        assert (one.exception(), other.exception()) == (None, None)
    found = tracking.client.search_logged_models([tracking.experiment_id])
    assert [str(model.status) for model in found] == ["READY"]


def test_what_a_killed_process_left_is_replaced(tracking: Tracking, tmp_path: Path) -> None:
    run = tracking.training_run("f" * 64, "fd1", None, {}, {})
    half = tracking.client.create_logged_model(
        tracking.experiment_id,
        "half",
        source_run_id=run,
        tags={tags.CHECKPOINT: "f" * 64, "nrdfer.protocol": "honest-crops"},
    )
    made = register(tracking, make_checkpoint(tmp_path / "checkpoint"))
    there = [model.model_id for model in tracking.client.search_logged_models([tracking.experiment_id])]
    assert there == [model_id_of(tracking.client.get_model_version(NAME, made.version))] != [half.model_id]


def test_a_damaged_version_is_registered_anew(
    tracking: Tracking, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_checkpoint(tmp_path / "checkpoint")
    first = register(tracking, folder)
    (model_folder(tracking, first.version) / "artifacts" / "model.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        second = register(tracking, folder)
    assert (second.version, second.created) == ("2", True)
    assert "artifacts/model.json has the sha256" in caplog.text
    registry.open_version(f"models:/{NAME}/2", tracking)
