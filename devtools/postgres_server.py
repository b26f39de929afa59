"""A real PostgreSQL server on 127.0.0.1 in a temporary folder, for tests, scripts and ``make cluster``.

It asks every connection for a password (SCRAM), so that a password that leaks, or is lost on its way, is noticed. The
kernel ends it with the process that started it, also where that one is killed. Keep out: what is stored in it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from devtools.tracking_server import free_port
from nrdfer.core.processes import die_with_parent

USER = "nrdfer"
_DEBIAN = Path("/usr/lib/postgresql")  # <version>/bin, which Debian keeps out of PATH
_PATIENCE = 180.0


def missing() -> str:
    """Why no server can be started on this machine; empty where one can."""
    if program("initdb") is None or program("postgres") is None:
        return f"no PostgreSQL: neither PATH nor {_DEBIAN}/*/bin has initdb and postgres (Debian: postgresql)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL refuses to run as root, and there is no setpriv (util-linux) to start it as another user"
    return ""


def program(name: str) -> Path | None:
    """A program of PostgreSQL's server, from PATH or from the newest version that Debian has installed."""
    found = shutil.which(name)
    if found:
        return Path(found)
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: float(path.parent.parent.name))
    return versions[-1] if versions else None


class PostgresServer:
    """One server with a folder, a port and a password of its own, which stay the same when it is started again.

    Args:
        folder: for its data and its log; made if missing. A folder that holds a database already is used as it is.
        port: a free one unless given.
        password: of the user `USER`; drawn at random unless given.
    """

    def __init__(self, folder: Path, port: int | None = None, password: str | None = None) -> None:
        if reason := missing():
            raise RuntimeError(reason)
        self.folder, self.port = folder, port or free_port()
        self.password = password or secrets.token_urlsafe(18)
        self.data, self.log = folder / "data", folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, scheme: str = "postgresql+psycopg2") -> str:
        """Address of a database, with the password."""
        return f"{scheme}://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers; nothing if it runs."""
        if self._process is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").is_file():
            self._initialise()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 300,
            "fsync": "off",  # a killed process loses nothing by it, only a machine without power does
        }
        line = [str(program("postgres")), "-D", str(self.data)]
        line += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603
                [*_as_other_user(end_with="INT"), *line], cwd=self.folder, stdout=out, stderr=out,
                start_new_session=True, preexec_fn=lambda: die_with_parent(number=signal.SIGINT),
            )  # fmt: skip
        self._wait()

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it and wait for its end: in order, ending all connections (SIGINT), or as a crash would (SIGQUIT)."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its children see that it is gone, and end
                self._process.wait()
            self._process = None

    def create(self, *databases: str) -> None:
        """Create empty databases."""
        for name in databases:
            self.ask(f'create database "{name}"', database="postgres")

    def ask(self, question: str, database: str) -> list[tuple[object, ...]]:
        """Execute one statement; returns its rows, if it has any."""
        import psycopg2

        connection = psycopg2.connect(self.url(database, scheme="postgresql"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(question)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def _initialise(self) -> None:
        _complain_if_unreachable(self.folder)
        secret = self.folder / ".password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        _give_to_other_user(self.folder, secret)
        line = [str(program("initdb")), "-D", str(self.data), "-U", USER, "--pwfile", str(secret), "--no-sync"]
        line += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        try:
            done = subprocess.run(  # noqa: S603
                [*_as_other_user(), *line], cwd=self.folder, capture_output=True, text=True
            )
        finally:
            secret.unlink()
        if done.returncode:
            raise RuntimeError(f"initdb failed in {self.folder}: {done.stderr.strip()[-2000:]}")

    def _wait(self) -> None:
        import psycopg2

        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg2.connect(self.url("postgres", scheme="postgresql")).close()
                return
            except psycopg2.OperationalError as error:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    self.stop()
                    said = self.log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start ({error}); the end of {self.log}:\n{said}") from error
                time.sleep(0.1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def postgres_server(*databases: str) -> Iterator[PostgresServer]:
    """A server with these empty databases, in a temporary folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder, PostgresServer(Path(folder)) as server:
        server.create(*databases)
        yield server


def _other_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: PostgreSQL refuses root; None means the present user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as_other_user(end_with: str | None = None) -> list[str]:
    """What begins a command that must not run as root; `end_with` names the signal that its parent's end sends.

    A change of user clears that setting of the process, so setpriv sets it after the change.
    """
    user = _other_user()
    if user is None:
        return []
    line = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*line, f"--pdeathsig={end_with}"] if end_with else line


def _give_to_other_user(*paths: Path) -> None:
    user = _other_user()
    if user is not None:
        for path in paths:
            os.chown(path, user.pw_uid, user.pw_gid)


def _complain_if_unreachable(folder: Path) -> None:
    user = _other_user()
    for parent in folder.resolve().parents if user is not None else ():
        if not parent.stat().st_mode & 0o001 and parent.stat().st_uid != user.pw_uid:
            raise RuntimeError(
                f"PostgreSQL refuses to run as root, and {user.pw_name}, as whom it is started, may not pass through "
                f"{parent}; choose a folder outside it"
            )
