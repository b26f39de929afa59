"""A hub on loopback: as much of the Hugging Face hub's protocol as publishing and opening a model need.

Repositories live in memory, each a list of commits. Requests are kept, for tests of what is sent and with which token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_tokenOfTheTests"  # noqa: S105 - accepted by this server only
_MODEL = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|preupload|commit)/(?P<revision>[^/]+))?")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_BATCH = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")


@dataclass
class Repository:
    """One repository of models."""

    private: bool
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)  # id, name -> content

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Add a commit in which some files are new or changed; returns its id."""
        whole = {**(self.commits[-1][1] if self.commits else {}), **files}
        number = hashlib.sha1(f"{len(self.commits)}{sorted(whole)}".encode(), usedforsecurity=False).hexdigest()
        self.commits.append((number, whole))
        return number

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision means."""
        if revision == "main":
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)


@dataclass
class Request:
    """One request, with its body."""

    method: str
    path: str
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def token(self) -> str | None:
        """The token that came with it."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None


class HubService:
    """Serves repositories on 127.0.0.1 while it is entered."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.seen: list[Request] = []
        self.refuse_commits = False
        self._uploaded: dict[str, bytes] = {}

    def __enter__(self) -> HubService:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                chunked = "chunked" in headers.get("transfer-encoding", "")
                body = _chunks(self) if chunked else self.rfile.read(length)
                request = Request(self.command, unquote(urlsplit(self.path).path), headers, body)
                service.seen.append(request)
                status, told, content = service.answer(request)
                self.send_response(status)
                for name, value in told.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = _handle

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        if request.path == "/api/repos/create":
            return self._create(request)
        if request.path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if request.path.startswith("/upload/"):
            self._uploaded[request.path.removeprefix("/upload/")] = request.body
            return 200, {}, b""
        found = _MODEL.fullmatch(request.path) or _BATCH.fullmatch(request.path) or _FILE.fullmatch(request.path)
        there = self.repositories.get(found["repo"]) if found else None
        if found is None or there is None or (there.private and request.token != TOKEN):
            return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if found.re is _BATCH:
            return self._batch(request)
        if found.re is _FILE:
            return self._file(there, found)
        if request.method == "POST":
            if request.token != TOKEN:
                return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}"
            return _modes(request) if found["what"] == "preupload" else self._commit(there, found["repo"], request)
        return _described(found["repo"], there, found["revision"] or "main")

    def _create(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.token != TOKEN:
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}"
        asked = json.loads(request.body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.repositories:
            return 409, {}, b"{}"
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.repositories[name] = Repository(private)
        self.repositories[name].commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return _json({"url": f"{self.endpoint}/{name}", "name": name})

    def _batch(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.endpoint}/upload/{wanted['oid']}"}}}
            for wanted in json.loads(request.body)["objects"]
        ]
        return _json({"transfer": "basic", "objects": objects})

    def _commit(self, there: Repository, name: str, request: Request) -> tuple[int, dict[str, str], bytes]:
        if self.refuse_commits:
            return 403, {"X-Error-Message": "this token may not write"}, b"{}"
        files = {}
        for line in map(json.loads, request.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self._uploaded[value["oid"]]
        number = there.commit(files)
        return _json({"success": True, "commitOid": number, "commitUrl": f"{self.endpoint}/{name}/commit/{number}"})

    def _file(self, there: Repository, found: re.Match[str]) -> tuple[int, dict[str, str], bytes]:
        commit = there.at(found["revision"])
        if commit is None or found["name"] not in commit[1]:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return 200, {}, commit[1][found["name"]]


def _modes(request: Request) -> tuple[int, dict[str, str], bytes]:
    """Which files of a commit are uploaded beside it."""
    modes = [
        {
            "path": file["path"],
            "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
            "shouldIgnore": False,
        }
        for file in json.loads(request.body)["files"]
    ]
    return _json({"files": modes})


def _described(name: str, there: Repository, revision: str) -> tuple[int, dict[str, str], bytes]:
    commit = there.at(revision)
    if commit is None:
        return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
    siblings = [_sibling(file, data) for file, data in sorted(commit[1].items())]
    return _json({"id": name, "sha": commit[0], "private": there.private, "siblings": siblings})


def _sibling(name: str, data: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    row: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
    if name.endswith(".safetensors"):
        row["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
    return row


def _json(content: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def _chunks(handler: BaseHTTPRequestHandler) -> bytes:
    """The body of a request that was sent in chunks."""
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body
