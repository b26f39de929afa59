"""Requests to the served model, damaged in every way: an answer with probabilities, or a refusal in words."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nrdfer.core.emotions import EMOTIONS
from nrdfer.predict.model import open_model
from nrdfer.serving.limits import Limits
from nrdfer.serving.loader import open_artifacts
from nrdfer.serving.service import Reply, Service
from nrdfer.serving.video_bundle import write_bundle
from tests.fuzz.harness import fuzz
from tests.unit.acting import act, write_network
from tests.unit.serving.test_app import client_of, clip_json, strict, write_tiny

LIMITS = Limits(request_bytes=1 << 20, values=200_000, side=64, videos=4, frames=300, pixels=1 << 20, duration=20)
_ODD = [
    b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 5000, b'"0.5"', b"null", b"true", b"[]", b"{}", b"[[[", b'"\\ud800"',
    b'"\\u0000"', b"0.1", b"-0", b'{"clip": 1}', b"\xff", b'"' + b"a" * 3000 + b'"',
]  # fmt: skip
_HEADERS = [
    {}, {"content-type": "text/plain"}, {"content-type": "application/json; charset=utf-16"}, {"host": "evil.example"},
    {"content-length": "99999999999999999999"}, {"content-encoding": "gzip"}, {"host": "[::1"}, {"accept": "*/*" * 900},
]  # fmt: skip

Request = tuple[bytes, dict[str, str]]
Ask = Callable[[Request], Reply]


def _damaged(rng: random.Random, whole: bytes) -> bytes:
    """A request with tokens exchanged, cut, doubled, nested or flipped."""
    data = bytearray(whole)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            data[at : at + rng.randrange(1, 9)] = rng.choice(_ODD)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = data[at : at + rng.randrange(200)] * rng.randrange(1, 4)
        elif kind == 3 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 4:
            depth = rng.choice((3, 100, 20_000))
            data = bytearray(b"[" * depth + bytes(data) + b"]" * rng.choice((depth, 0)))
        elif kind == 5:
            places = [i for i in range(len(data)) if data[i : i + 3] == b"0.5"]
            if places:
                place = rng.choice(places)
                data[place : place + 3] = rng.choice(_ODD)
        else:
            del data[at : at + rng.randrange(1, 40)]
    return bytes(data)


def _request(rng: random.Random, whole: list[bytes]) -> Request:
    headers = {"content-type": "application/json"}
    return _damaged(rng, rng.choice(whole)), headers | (rng.choice(_HEADERS) if rng.random() < 0.1 else {})


def _asked(client: TestClient) -> Ask:
    """Over HTTP."""

    def ask(request: Request) -> Reply:
        answer = client.post("/invocations", content=request[0], headers=request[1])
        return Reply(answer.status_code, answer.content)

    return ask


def _answered(reply: Reply) -> Any:
    told = strict(reply.body)
    assert b"Traceback" not in reply.body
    assert reply.status == 200 or 400 <= reply.status < 500, (reply.status, told)
    if reply.status != 200:
        assert set(told) == {"error", "status"} and len(told["error"]) < 2000
        raise RefusedError(told["error"])
    for row in told["predictions"]:
        if row["emotion"] is not None:
            assert abs(sum(row[f"probability_{name}"] for name in EMOTIONS) - 1) < 1e-4
        else:
            assert row["status"] in ("unreadable", "no_face") and row["reason"]
    return told


class RefusedError(Exception):
    """A refusal in words."""


def _fuzzed(name: str, ask: Ask, make: Callable[[random.Random], Request], slower: int = 1) -> None:
    tally = fuzz(name, make, lambda request: _answered(ask(request)), slower=slower, words=(RefusedError,))
    assert tally.words and (tally.results or tally.inputs == 1)


def test_requests_with_crops(tmp_path: Path) -> None:
    service = Service(open_artifacts(tmp_path, write_tiny(tmp_path)), LIMITS)
    clip = clip_json(side=2)
    forms: list[dict[str, Any]] = [clip, {"instances": clip["inputs"]["clip"]}, {"instances": [{"clip": 0.5}]}]
    whole = [json.dumps(form).encode() for form in forms]
    _fuzzed("serving requests, crops", lambda request: service.reply(request[0]), lambda rng: _request(rng, whole))
    with client_of(service, LIMITS) as client:
        _fuzzed("serving requests, HTTP", _asked(client), lambda rng: _request(rng, whole), slower=40)


def test_requests_with_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    network = write_network(tmp_path / "network")
    write_bundle(network, open_model(str(network)).preprocessing, tmp_path / "bundle")
    service = Service(open_artifacts(tmp_path / "bundle", {"folders": [str(tmp_path)]}), LIMITS)
    content = act(tmp_path / "acted.mp4", 12, 6).read_bytes()

    def make(rng: random.Random) -> Request:
        video = bytearray(content[: rng.choice((len(content), 3000, 40))])
        for _ in range(rng.choice((0, 0, 20))):
            video[rng.randrange(len(video))] ^= 1 << rng.randrange(8)
        text = base64.b64encode(video).decode()
        paths = [
            f"{tmp_path}/none.mp4",
            "/etc/passwd",
            "http://a/b",
            "concat:a|b",
            "-i",
            "..",
            "a\0b",
            "\ud800",
            "x" * 5000,
        ]
        rows: list[Any] = [{"video": text}, {"path": rng.choice(paths)}, {"video": "", "path": None}, {"video": "????"}]
        form = rng.choice(
            (
                {"dataframe_records": [rng.choice(rows)]},
                {"dataframe_split": {"columns": ["path"], "data": [[rng.choice(paths)]]}},
                {"inputs": {"video": [text] * rng.choice((0, 1, 5))}},
                {"instances": rng.sample(rows, 2)},
            )
        )
        whole = json.dumps(form).encode()
        return _request(rng, [whole]) if rng.random() < 0.5 else (whole, {"content-type": "application/json"})

    with client_of(service, LIMITS) as client:
        _fuzzed("serving requests, videos", _asked(client), make, slower=100)
