"""`nrdfer weights fetch` with the hub's real client, in processes of their own, against a server on this machine."""

from __future__ import annotations

import hashlib
import os
import pty
import random
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.weights.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[3]
REVISION = "a" * 40
ADDRESS = f"/datasets/someone/networks/resolve/{REVISION}/folder/hosted.pth"
#: The client hands over 10 MiB at a time: whatever is to be continued must be longer.
CONTENT = random.Random(0).randbytes(25 << 20)
OTHER = CONTENT[::-1]
FETCH = ("weights", "fetch", "hosted")

#: The command line with a catalogue of one file.
CHILD = f"""
import sys
from nrdfer.weights import catalogue as weights
weights.CATALOGUE = {{"hosted": weights.PinnedWeights(
    name="hosted", description="a hosted network", filename="folder/hosted.pth", licence="MIT",
    source="the bookshop at the corner", repo="someone/networks", repo_type="dataset", revision="{REVISION}",
    size={len(CONTENT)}, sha256="{hashlib.sha256(CONTENT).hexdigest()}",
)}}
from nrdfer.cli import app
app(sys.argv[1:])
"""


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer(ADDRESS, CONTENT) as running:
        yield running


class Caller:
    """Runs the command line as a user of the server's hub does; the user has a token in every place there is."""

    def __init__(self, folder: Path, server: HubServer) -> None:
        self.cache = folder / "hf" / "hub"
        self.name = self.cache / "datasets--someone--networks" / "snapshots" / REVISION / "folder" / "hosted.pth"
        (folder / "hf").mkdir()
        (folder / "hf" / "token").write_text("hf_stored")
        (folder / "netrc").write_text("machine 127.0.0.1 login someone password hf_netrc\n")
        (folder / "netrc").chmod(0o600)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "NRDFER"))}
        self.environment = kept | {
            "HF_ENDPOINT": server.endpoint,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DOWNLOAD_TIMEOUT": "600",  # a busy machine's pauses are no broken connections
            "HF_TOKEN": "hf_environment",
            "NETRC": str(folder / "netrc"),
            "NO_PROXY": "127.0.0.1",
            "NRDFER_HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
            "AI_AGENT": "someone",  # about which the client would ask and tell the hub
        }

    def start(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, *arguments]
        return subprocess.Popen(
            command, cwd=self.cache.parent, env=self.environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )

    def run(self, *arguments: str) -> tuple[int | None, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate()
        return process.returncode, out, err

    def files(self) -> list[Path]:
        """Everything in the cache that holds bytes."""
        return [path for path in self.cache.rglob("*") if path.is_file() and path.stat().st_size]


@pytest.fixture
def caller(tmp_path: Path, server: HubServer) -> Caller:
    return Caller(tmp_path, server)


def killed_half_way(caller: Caller, server: HubServer) -> Path:
    """What there is after a download's process was killed: one file."""
    server.cut_after, server.hang = 22 << 20, True
    process = caller.start(*FETCH)
    while sum(path.stat().st_size for path in caller.files()) < 20 << 20:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    (part,) = caller.files()
    return part


def test_a_download_is_whole_found_again_and_tells_nothing_of_its_user(caller: Caller, server: HubServer) -> None:
    assert "here: no" in caller.run("weights", "list")[1]
    assert server.seen == []
    assert caller.run(*FETCH) == (0, f"{caller.name}\n", "")  # no bar where stderr is no terminal
    assert caller.name.read_bytes() == CONTENT
    assert caller.files() == [caller.name]
    assert [(request.method, request.path) for request in server.seen] == [("GET", ADDRESS), ("GET", "/storage")]
    for request in server.seen:
        assert request.headers["user-agent"] == "nrdfer"
        assert not {"authorization", "cookie", "x-hf-download-counter"} & request.headers.keys()
        assert "hf_" not in str(request.headers)
    assert caller.run(*FETCH) == (0, f"{caller.name}\n", "")
    assert f"here: {caller.name}" in caller.run("weights", "list")[1]
    assert len(server.seen) == 2


def test_what_a_killed_process_left_is_continued(caller: Caller, server: HubServer) -> None:
    part = killed_half_way(caller, server)
    kept = part.stat().st_size
    assert part.suffix == ".incomplete"
    assert not caller.name.exists()
    assert "here: no" in caller.run("weights", "list")[1]
    assert caller.run(*FETCH) == (0, f"{caller.name}\n", "")
    assert [request.offset for request in server.transfers] == [None, kept]
    assert caller.name.read_bytes() == CONTENT
    assert caller.files() == [caller.name]


def test_a_connection_that_breaks_is_continued_in_the_same_call(caller: Caller, server: HubServer) -> None:
    server.cut_after = 22 << 20
    code, out, _ = caller.run(*FETCH)
    assert (code, out) == (0, f"{caller.name}\n")
    assert [request.offset for request in server.transfers] == [None, 20 << 20]
    assert caller.name.read_bytes() == CONTENT


def test_a_server_without_ranges_serves_it_from_the_start(caller: Caller, server: HubServer) -> None:
    server.cut_after, server.ranges = 22 << 20, False
    assert caller.run(*FETCH)[0] == 0
    assert [request.offset for request in server.transfers] == [None, 20 << 20]
    assert caller.name.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("served", "told"),
    [
        (OTHER, [hashlib.sha256(OTHER).hexdigest(), hashlib.sha256(CONTENT).hexdigest()]),
        (CONTENT[:1000], ["1,000 bytes", f"{len(CONTENT):,}"]),
        (CONTENT + b"more", [f"{len(CONTENT) + 4:,} bytes", f"{len(CONTENT):,}"]),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 26\n", ["Git LFS pointer"]),
    ],
    ids=["other bytes", "shorter", "longer", "a pointer"],
)
def test_other_content_is_refused_and_not_kept(
    caller: Caller, server: HubServer, served: bytes, told: list[str]
) -> None:
    server.content = served
    code, out, err = caller.run(*FETCH)
    assert (code, out) == (1, "")
    for words in [*told, f"{server.endpoint}{ADDRESS}", "the bookshop at the corner"]:
        assert words in err
    assert caller.files() == []
    server.content = CONTENT
    assert caller.run(*FETCH) == (0, f"{caller.name}\n", "")
    assert server.transfers[-1].offset is None


def test_a_wrong_file_in_the_cache_is_named_and_replaced(caller: Caller, server: HubServer) -> None:
    blob = caller.name.parents[3] / "blobs" / "other"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(OTHER)
    caller.name.parent.mkdir(parents=True)
    caller.name.symlink_to(blob)  # as the client keeps it
    assert "`nrdfer weights fetch hosted` replaces it" in caller.run("weights", "list", "--json")[1]
    code, out, err = caller.run(*FETCH)
    assert (code, out) == (0, f"{caller.name}\n")
    assert f"{caller.name} in the hub's local cache is downloaded again" in err
    assert caller.name.read_bytes() == CONTENT
    assert blob.read_bytes() == OTHER  # which other revisions may mean


def test_a_start_that_a_power_cut_damaged_is_downloaded_anew(caller: Caller, server: HubServer) -> None:
    part = killed_half_way(caller, server)
    part.write_bytes(bytes(part.stat().st_size))
    assert caller.run(*FETCH)[0] == 0
    assert caller.name.read_bytes() == CONTENT


def test_a_hub_without_the_file_says_what_to_do_by_hand(caller: Caller, server: HubServer) -> None:
    server.path = "/elsewhere"
    code, out, err = caller.run(*FETCH)
    assert (code, out) == (1, "")
    for words in ("404", "someone/networks", "the bookshop at the corner", hashlib.sha256(CONTENT).hexdigest()):
        assert words in err
    assert list(caller.cache.rglob("*.incomplete")) == []


def test_two_callers_at_once_download_once(caller: Caller, server: HubServer) -> None:
    both = [caller.start(*FETCH) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [f"{caller.name}\n"] * 2
    assert len(server.transfers) == 1


def test_a_terminal_shows_progress(caller: Caller, server: HubServer) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = caller.start(*FETCH, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:  # how a terminal says that the last writer has gone
        pass
    finally:
        os.close(ours)
    assert process.communicate()[0] == f"{caller.name}\n"
    assert b"hosted.pth: 100%" in shown
