from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from nrdfer.training import signals
from nrdfer.training.signals import stop_requests


class AnsweredError(Exception):
    """What was in place before has answered."""


@pytest.fixture(autouse=True)
def answering() -> Iterator[None]:
    def answer(*_: object) -> None:
        raise AnsweredError

    before = {number: signal.signal(number, answer) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_noted_and_the_same_request_told_twice_too(number: signal.Signals) -> None:
    with stop_requests() as request:
        assert not request
        os.kill(os.getpid(), number)
        assert request
        assert request.name == number.name
        os.kill(os.getpid(), signal.SIGINT)
        assert request.name == number.name
    with pytest.raises(AnsweredError):  # what was before is back
        os.kill(os.getpid(), number)


def test_one_that_comes_later_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_SAME", -1.0)
    with stop_requests() as request, pytest.raises(AnsweredError):
        os.kill(os.getpid(), signal.SIGTERM)
        assert request
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_requests() as request:
        os.kill(os.getpid(), signal.SIGINT)
        assert not request


def test_in_another_thread_nothing_is_noted() -> None:
    seen: list[bool] = []

    def run() -> None:
        with stop_requests() as request:
            seen.append(bool(request))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]
