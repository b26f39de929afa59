"""What the served model takes and what it refuses: names of hosts, folders, sizes, times; always strict JSON."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.saved_model import cpu_weights, write_description, write_weights
from nrdfer.models.trained_files import LAST
from nrdfer.predict.model import open_model
from nrdfer.serving.app import host_name, make_app
from nrdfer.serving.limits import Limits
from nrdfer.serving.loader import open_artifacts
from nrdfer.serving.service import Reply, Service
from nrdfer.serving.video_bundle import write_bundle
from nrdfer.serving.workers import Workers
from nrdfer.store import file_sha256
from tests.unit.serving.odd_models import make_slow, make_slowly_later, refuse

pytestmark = pytest.mark.slow

SIDE = 8
JSON = {"content-type": "application/json"}


def write_tiny(folder: Path) -> dict[str, str]:
    """A network of crops, in a folder; returns what its loader is told."""
    tiny = {"image_size": 32, "widths": (4, 6, 8), "spatial_depth": 1, "temporal_depth": 1}
    write_weights(folder / LAST, cpu_weights(NRDFERNet(NRDFERNetSettings(**tiny))))  # type: ignore[arg-type]
    write_description(folder, "nr-dfernet", {**tiny, "widths": [4, 6, 8]}, {})
    return {"sha256": file_sha256(folder / LAST)}


def client_of(service: Service, limits: Limits, **settings: Any) -> TestClient:
    async def answer(body: bytes, _: float) -> Reply:
        return await asyncio.to_thread(service.reply, body)

    app = make_app(answer, limits, **settings)
    return TestClient(app, base_url="http://localhost:5001", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Service:
    folder = tmp_path_factory.mktemp("crops")
    return Service(open_artifacts(folder, write_tiny(folder)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, network_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS"):
            patch.delenv(name, raising=False)
        write_bundle(network_folder, open_model(str(network_folder)).preprocessing, folder)
    return folder


@pytest.fixture
def client(crops: Service) -> Iterator[TestClient]:
    with client_of(crops, Limits(request_bytes=1 << 20, at_once=2)) as made:
        yield made


def clip_json(clips: int = 1, side: int = SIDE) -> dict[str, Any]:
    return {"inputs": {"clip": np.full((clips, 16, 3, side, side), 0.5).round(3).tolist()}}


def strict(content: bytes) -> Any:
    """What a parser reads that takes no NaN."""

    def no(name: str) -> None:
        raise AssertionError(f"{name} in an answer")

    return json.loads(content, parse_constant=no)


def test_crops_are_answered_in_every_form(client: TestClient) -> None:
    clips = clip_json(2)["inputs"]["clip"]
    forms = [
        {"inputs": {"clip": clips}}, {"inputs": clips}, {"instances": clips},
        {"instances": [{"clip": clip} for clip in clips]},
    ]  # fmt: skip
    answers = [client.post("/invocations", json=form) for form in forms]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    rows = strict(answers[0].content)["predictions"]
    assert len(rows) == 2
    for row in rows:
        assert sum(row[f"probability_{name}"] for name in EMOTIONS) == pytest.approx(1, abs=1e-5)
    assert (client.get("/ping").status_code, client.get("/health").status_code) == (200, 200)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "localhost:x", "[::1", "10.0.0.1:5001"],
)
def test_a_host_that_is_not_this_machine_is_sent_away(client: TestClient, host: str) -> None:
    for method, path in (("POST", "/invocations"), ("GET", "/ping")):
        answer = client.request(method, path, content=b"{}", headers={**JSON, "host": host})
        assert (answer.status_code, "localhost only" in strict(answer.content)["error"]) == (403, True)


def test_names_of_this_machine_and_those_that_were_allowed(crops: Service) -> None:
    with client_of(crops, Limits(), hosts=("Box.lan",)) as client:
        for host in ("localhost", "LOCALHOST:5001", "127.0.0.1:1", "[::1]:5001", "box.lan:80", "localhost."):
            assert client.get("/ping", headers={"host": host}).status_code == 200, host
    assert host_name("a:1:2") == ""


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not JSON"),
        (b"[1]", 400, "a JSON object"),
        (b'{"inputs": NaN}', 400, "NaN is not JSON"),
        (b'{"inputs": [Infinity]}', 400, "Infinity is not JSON"),
        (b"\xff\xfe", 400, "not UTF-8"),
        (b'{"inputs": 1, "inputs": 2}', 400, "one key twice"),
        (b"[" * 100_000, 400, "too deep"),
        (b'{"inputs": [], "instances": []}', 400, "exactly one of"),
        (b'{"inputs": [], "extra": 1}', 400, "exactly one of"),
        (b'{"inputs": []}', 422, "have the shape"),
        (b'{"inputs": {"clip": "x"}}', 422, "have the shape"),
        (b'{"inputs": {"other": 1}}', 422, "'clip' alone"),
        (b'{"dataframe_records": [{"clip": 1}]}', 422, "not as a table"),
        (json.dumps(clip_json()).replace("0.5", "1e999", 1).encode(), 422, "from 0 to 1"),
        (json.dumps(clip_json()).replace("0.5", "9" * 400, 1).encode(), 422, "beyond the range of floats"),
        (json.dumps(clip_json()).replace("0.5", '"0.5"', 1).encode(), 422, "not text"),
        (json.dumps(clip_json()).replace("0.5", "true", 1).encode(), 422, "not true or false"),
        (json.dumps(clip_json()).replace("0.5, ", "", 1).encode(), 422, "not all of the shape"),
        (json.dumps(clip_json()).replace("0.5", "2", 1).encode(), 422, "from 0 to 1"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_words(client: TestClient, body: bytes, status: int, words: str) -> None:
    answer = client.post("/invocations", content=body, headers=JSON)
    told = strict(answer.content)
    assert (answer.status_code, told["status"]) == (status, status)
    assert words in told["error"]
    assert "Traceback" not in answer.text


def test_sizes_kinds_and_ways_that_are_not_taken(client: TestClient) -> None:
    large = client.post("/invocations", content=b" " * (2 << 20), headers=JSON)
    streamed = client.post("/invocations", content=iter([b" " * (1 << 19)] * 4), headers=JSON)
    for answer in (large, streamed):
        assert (answer.status_code, "1,048,576 bytes" in strict(answer.content)["error"]) == (413, True)
    assert client.post("/invocations", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/invocations", content=b"{}", headers={**JSON, "content-encoding": "gzip"}).status_code == 415
    for answer, status in ((client.get("/invocations"), 405), (client.get("/../etc/passwd"), 404)):
        assert (answer.status_code, strict(answer.content)["status"]) == (status, status)
    many = client.post("/invocations", content=b'{"inputs": [' + b"[]," * 300_000 + b"[]]}", headers=JSON)
    assert many.status_code == 422


def test_more_values_than_are_taken_are_counted_before_they_are_read(crops: Service) -> None:
    small = Service(crops._model, Limits(values=1000))
    reply = small.reply(json.dumps(clip_json()).encode())
    assert (reply.status, "more than the 1,000" in strict(reply.body)["error"]) == (413, True)


def test_too_many_at_once_are_sent_away_and_slow_callers_do_not_stay() -> None:
    async def scenario() -> tuple[list[int], int]:
        async def answer(_: bytes, __: float) -> Reply:
            await asyncio.sleep(0.3)
            return Reply(200, b"{}")

        app = make_app(answer, Limits(at_once=2, seconds=0.5))
        return await asyncio.gather(*(_post(app, [b"{}"]) for _ in range(5))), await _post(app, None)

    statuses, slow = asyncio.run(scenario())
    assert sorted(statuses) == [200, 200, 429, 429, 429]
    assert slow == 408


async def _post(app: Any, parts: list[bytes] | None) -> int:
    """The status of a request whose body comes in parts, or never."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": parts.pop() if parts else b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/invocations", "query_string": b"", "http_version": "1.1",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
    }  # fmt: skip
    await app(scope, receive, send)
    return int(sent[0]["status"])


def test_videos_only_inside_the_folders_that_were_named(bundle: Path, acted_video: Path, tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    for folder in (allowed, secret):
        folder.mkdir()
    (secret / "v.mp4").write_bytes(acted_video.read_bytes())
    (allowed / "link.mp4").symlink_to(secret / "v.mp4")
    (allowed / "up").symlink_to(secret)
    (tmp_path / "allowed-too").mkdir()
    os.mkfifo(allowed / "pipe.mp4")
    (allowed / "v.mp4").write_bytes(acted_video.read_bytes()[:2000])
    for folders, outside in (
        ([str(allowed)], ["link.mp4", "up/v.mp4", "../secret/v.mp4", "../secret/none.mp4", "../allowed-too/v.mp4"]),
        ([], ["v.mp4"]),
    ):
        service = Service(open_artifacts(bundle, {"folders": folders}))
        for name in outside:
            reply = service.reply(json.dumps({"inputs": [{"path": f"{allowed}/{name}"}]}).encode())
            told = strict(reply.body)["error"]
            assert reply.status == 403, name
            assert "is outside the folders" in told or "opens no files by their path" in told
            assert str(secret) not in told
    inside = Service(open_artifacts(bundle, {"folders": [str(allowed)]}))
    for name, words in (("v.mp4", ""), ("pipe.mp4", "not a plain file"), ("none.mp4", "cannot be opened")):
        reply = inside.reply(json.dumps({"dataframe_records": [{"path": f"{allowed}/{name}"}]}).encode())
        (row,) = strict(reply.body)["predictions"]
        assert (reply.status, row["status"], row["logit_fear"]) == (200, "unreadable", None)
        assert words in row["reason"]


def test_videos_beyond_the_limits_are_refused(bundle: Path, acted_video: Path) -> None:
    video = base64.b64encode(acted_video.read_bytes()).decode()
    body = json.dumps({"dataframe_split": {"columns": ["video"], "data": [[video]]}}).encode()
    model = open_artifacts(bundle, {})
    for limits, words in (
        (Limits(frames=50), "frames"),
        (Limits(video_bytes=1000), "bytes, more than the 1,000 allowed here"),
        (Limits(pixels=100), "pixels"),
        (Limits(duration=1), "seconds"),
        (Limits(videos=1), "more than the 1 allowed at once"),
    ):
        twice = json.dumps({"inputs": {"video": [video, video]}}).encode()
        reply = Service(model, limits).reply(twice if limits.videos == 1 else body)
        assert (reply.status, words in strict(reply.body)["error"]) == (413, True), reply.body
        assert tempfile.gettempdir().encode() not in reply.body


def test_a_video_without_a_face_has_null_not_nan(bundle: Path, acted_video: Path) -> None:
    service = Service(open_artifacts(bundle, {}))
    good, cut = acted_video.read_bytes(), acted_video.read_bytes()[:-9000]
    rows = [{"video": base64.b64encode(content).decode()} for content in (good, cut, b"no video")]
    reply = service.reply(json.dumps({"dataframe_records": rows}).encode())
    first, *others = strict(reply.body)["predictions"]
    assert sum(first[f"probability_{name}"] for name in EMOTIONS) == pytest.approx(1, abs=1e-5)
    for row in others:
        assert (row["status"], row["emotion"], row["probability_fear"]) == ("unreadable", None, None)
        assert tempfile.gettempdir() not in row["reason"]


def test_a_worker_that_takes_too_long_or_dies_is_replaced() -> None:
    workers = Workers(make_slow, 1)
    workers.start()
    try:
        asked = [(b"1", 30.0), (b"sleep", 0.5), (b"2", 30.0), (b"die", 30.0), (b"3", 30.0)]
        replies = [asyncio.run(workers.answer(*each)) for each in asked]
    finally:
        workers.close()
    assert [reply.status for reply in replies] == [200, 422, 200, 422, 200]
    assert b"longer than" in replies[1].body and b"died on this request" in replies[3].body
    with pytest.raises(NrdferError, match="cannot be served: the weights are gone"):
        Workers(refuse, 1).start()


def test_a_request_does_not_wait_longer_than_it_may_for_a_process_that_loads_again(tmp_path: Path) -> None:
    workers = Workers(functools.partial(make_slowly_later, tmp_path / "loaded"), 1)
    workers.start()
    try:
        died = asyncio.run(workers.answer(b"die", 30.0))
        early = asyncio.run(workers.answer(b"1", 0.5))
        late = asyncio.run(workers.answer(b"2", 120.0))
    finally:
        workers.close()
    assert (died.status, early.status, late.status) == (422, 503, 200)
    assert b"is being reloaded" in early.body
