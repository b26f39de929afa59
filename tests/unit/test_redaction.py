"""Secrets in nothing that is logged, raised or written."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nrdfer import redaction
from nrdfer.errors import NrdferError
from nrdfer.redaction import hide, scrub

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


def test_a_long_text_costs_little() -> None:
    began = time.perf_counter()
    for text in ("http://a:b" * 20_000, "a." * 100_000 + "://", "x://a:" + "'" * 100_000):
        assert hide(f"@ {text}") == f"@ {text}"
    assert time.perf_counter() - began < 5


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
