"""A step that fails says why in words."""

from __future__ import annotations

import errno

import dagster as dg
import pytest

from assets.step_results import step
from nrdfer.core.errors import StoreError, TrainingLost


def caused(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


def test_a_server_that_dies_during_a_step_is_told_in_words_and_the_step_may_be_tried_again() -> None:
    import requests
    from mlflow.exceptions import MlflowException

    raw = MlflowException("API request to http://me:planted@h:1/x failed with exception " + "x" * 5000)
    with pytest.raises(dg.Failure) as failed, step(dg.build_op_context()):
        raise caused(raw, requests.exceptions.ConnectionError("Connection refused"))
    told = str(failed.value.description)
    assert "does not answer" in told and len(told) < 600 and "planted" not in told
    assert failed.value.allow_retries and failed.value.__cause__ is None


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), StoreError("no room")])
def test_a_step_that_found_a_full_disk_is_not_tried_again(error: Exception) -> None:
    with pytest.raises(dg.Failure, match="no room") as failed, step(dg.build_op_context()):
        raise error
    assert not failed.value.allow_retries


def test_a_defect_keeps_its_traceback_but_no_secret() -> None:
    with pytest.raises(ValueError, match=r"http://\*\*\*@h"), step(dg.build_op_context()):
        raise ValueError("http://me:planted@h")


def test_a_training_that_lost_a_machine_is_tried_again() -> None:
    with pytest.raises(dg.RetryRequested) as again, step(dg.build_op_context()):
        raise TrainingLost("the connection was lost")
    assert again.value.max_retries == 3
