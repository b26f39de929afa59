"""Secrets in nothing that is logged, raised or written."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from nrdfer.core import redaction
from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import one_line
from nrdfer.core.redaction import hide, scrub

SECRET = "planted-4f1c"  # noqa: S105 - it is looked for
NAMES = ["HF_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "DATABASE_PASSWORD"]


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_of_the_environment_is_hidden_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    assert hide(f"header Bearer {SECRET}, again {SECRET}") == "header Bearer ***, again ***"
    assert SECRET not in str(NrdferError(f"refused: {SECRET}"))


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach http://me:{SECRET}@host:1/x",
        f"psycopg: postgresql://me:{SECRET}@host/db",
        f"GET /api?a=b&access_token={SECRET}&c=d",
        f"url='https://h/x?token={SECRET}'",
        f"https://{SECRET}@github.com/me/repo.git",
        f"mysql+pymysql://me:a/{SECRET}+Qw==@host/db",
        f"at mysql+pymysql://me:it's-{SECRET}@host/db now",
        f"('mysql://me:a/{SECRET}@host/db', 5)",
        f"http://me:a/{SECRET}@host:9",
        f"http://me:a?b#{SECRET}@host:9",
        f"http://me:a@{SECRET}@host:9",
        f"HTTPS://me:1x/{SECRET}@host:9",
        f"mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dme%3BPWD%3D{SECRET}",
        f"DRIVER=X;UID=me;PWD={SECRET}",
        f"https://a.blob/c?sv=1&sig={SECRET}",
        f"https://s3/x?X-Amz-Signature={SECRET}",
    ],
)
def test_a_secret_of_any_address_in_a_text_is_hidden(text: str) -> None:
    assert SECRET not in hide(text)


@pytest.mark.parametrize(
    "text",
    [
        "me@lab.example",
        "http://h/x?page=2",
        "a?b",
        "models:/nr@champion",
        "http://h:5/#/a@b",
        "http://host:5000 does not answer; write to me@lab.example",
        "http://host: refused, me@lab.example",
        "http://host:5000/a:b@c and http://[::1]:5000/a@b",
        "https://host/?mail=me@lab.example",
        "git+https://host:443/me@lab",
        "sqlite:////home/a:b/me@lab/mlflow.db",
        '{"at":"postgresql://host:5432/db","mail":"me@lab.example"}',
        "/data/sig=3/pat=4?sign=5&passes=6",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hide(text) == text


def test_a_password_given_to_a_proxy_is_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@proxy:3128")
    assert hide(f"Proxy-Authorization me:{SECRET}") == "Proxy-Authorization me:***"


@pytest.mark.parametrize(
    "address", ["mysql://me:{}@h/db", "mysql://h/db?password={}", "mssql:///?odbc_connect=PWD%3D{}%3B"]
)
def test_a_password_of_an_address_in_the_environment_is_a_secret_too(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("LAB_DATABASE", address.format(f"a/{SECRET} b"))
    assert hide(f"access denied with a/{SECRET} b!") == "access denied with ***!"


def test_a_long_text_comes_to_its_end() -> None:
    """With an expression that tries again from every letter this test would take hours."""
    for text in ("http://a:b" * 20_000, "a." * 100_000 + "://", "x://a:" + "'" * 100_000):
        assert hide(f"@ {text}") == f"@ {text}"


@pytest.mark.parametrize(
    "name",
    ["DB_PASS", "MYSQL_PWD", "GITHUB_PAT", "AUTH_HEADER", "AZURE_STORAGE_CONNECTION_STRING", "AWS_SECRET_ACCESS_KEY"],
)
def test_a_name_that_says_secret_hides_even_what_looks_like_a_path(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"/{SECRET}/K7")
    assert hide(f"key is /{SECRET}/K7") == "key is ***"


def test_a_secrets_file_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "OLDPWD", "PATH", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, str(tmp_path))
    assert hide(f"in {tmp_path}") == f"in {tmp_path}"
    monkeypatch.setenv("OLDPWD", "/was/here/before")
    assert hide("in /was/here/before") == "in /was/here/before"


def test_a_secret_is_hidden_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "pa\"s\\w/\u00f6rd'99 \x1b"  # noqa: S105
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", secret)
    for text in (
        secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret), ascii(secret), quote(secret),
        quote(secret, safe=""), quote_plus(secret), one_line(secret),
    ):  # fmt: skip
        assert "rd" not in hide(text) and "***" in hide(text), text
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", f"it's-{SECRET}")
    assert SECRET not in hide(repr(f'say "it\'s-{SECRET}"'))


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, ["curl", "-H", f"Bearer {SECRET}"], f"a {SECRET}".encode(), f"b {SECRET}"),
        FileNotFoundError(2, "No such file", f"/data/{SECRET}", None, Path(f"/data/{SECRET}")),
        ExceptionGroup("several", [ValueError(SECRET), ExceptionGroup("more", [KeyError(SECRET)])]),
        RuntimeError({"url": [f"http://me:{SECRET}@h/", (SECRET, 1)]}),
        RuntimeError(ValueError(SECRET)),
        ImportError(f"no {SECRET}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_of_any_kind_loses_its_secrets(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    error.add_note(f"asked with {SECRET}")
    scrub(error)
    assert SECRET not in "".join(traceback.format_exception(error))
    assert SECRET not in f"{error!r} {vars(error)} {error.args}"


def test_what_an_exception_was_given_stays_with_its_giver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    line, itself = ["curl", SECRET], []  # type: ignore[var-annotated]
    itself.append(itself)
    scrub(RuntimeError(line, itself, object()))
    assert line == ["curl", SECRET]


def test_an_exception_and_its_causes_lose_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException

    monkeypatch.setenv("HF_TOKEN", SECRET)
    cause = OSError(f"no {SECRET}")
    error = MlflowException(f"http://me:{SECRET}@h failed")
    error.__cause__ = cause
    scrub(error)
    assert SECRET not in f"{error} {error.message} {cause} {vars(error)}"


def test_logged_words_and_tracebacks_lose_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    before, hook = logging.getLogRecordFactory(), sys.excepthook
    log, told = logging.getLogger("somebody.elses"), io.StringIO()
    handler = logging.StreamHandler(told)
    log.addHandler(handler)
    try:
        redaction.install()
        redaction.install()
        log.warning("asking %s with %s", f"http://me:{SECRET}@h", SECRET)
        try:
            raise ValueError(f"refused {SECRET}")
        except ValueError:
            log.exception("failed")
    finally:
        log.removeHandler(handler)
        logging.setLogRecordFactory(before)
        sys.excepthook = hook
    assert "asking http://***@h with ***" in told.getvalue() and "refused ***" in told.getvalue()
    assert SECRET not in told.getvalue()


def test_what_python_itself_tells_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import logging, os, threading, warnings\n"
        "from nrdfer.core import redaction\n"
        "redaction.install(); redaction.install(); logging.basicConfig()\n"
        "def go(): raise ValueError('refused ' + os.environ['HF_TOKEN'])\n"
        "thread = threading.Thread(target=go, name='sampler'); thread.start(); thread.join()\n"
        "warnings.warn('old ' + os.environ['HF_TOKEN'])\n"
        "logging.warning('%d of %s', [os.environ['HF_TOKEN']], 3)\n"
    )
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "HF_TOKEN": SECRET, "PYTHONPATH": str(Path(redaction.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and SECRET not in done.stderr
    for told in ("Exception in thread sampler", "ValueError: refused ***", "UserWarning: old ***", "Logging error"):
        assert told in done.stderr
    assert "Arguments: (['***'], 3)" in done.stderr


def test_a_program_that_ends_in_a_traceback_tells_no_secret(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("from other import go\ngo()\n")
    (tmp_path / "other.py").write_text(
        "import os, nrdfer.cli\ndef go():\n    raise ValueError('refused ' + os.environ['HF_TOKEN'])\n"
    )
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "HF_TOKEN": SECRET},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "refused ***" in done.stderr and SECRET not in done.stderr + done.stdout
