"""Fsspec's file systems as they are opened here, and whose fault their errors are.

Keep here: what differs from provider to provider. Keep out: requests (``remote_requests``). Credentials are never
passed on: the provider's library finds them itself.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from nrdfer.core.addresses import WEB

FOLDER, S3 = "file://", "s3://"
SCHEMES = (S3, "gs://", *WEB, FOLDER)
_OF_THIS_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_LIBRARIES = {"aiobotocore", "aiohttp", "asyncio", "botocore", "fsspec", "gcsfs", "google", "s3fs"}
_FINAL = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError")


def open_files(scheme: str) -> Any:
    """Fsspec's file system of a scheme.

    Raises:
        ImportError: a package that it needs is not installed.
    """
    import fsspec

    return fsspec.filesystem(scheme.removesuffix("://"), **_options(scheme))


def cause_of(error: Exception, scheme: str) -> Exception:
    """An error itself, or what it hides: fsspec's web servers call every failure a file that is not there."""
    cause = error.__cause__
    if scheme not in WEB or not isinstance(error, FileNotFoundError) or not isinstance(cause, Exception):
        return error
    absent = isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in (404, 410)
    return error if absent else cause


def is_of_the_other_side(error: Exception, scheme: str) -> bool:
    """Whether an error is neither of this machine's disk nor a defect of this program."""
    if isinstance(error, OSError):
        return error.errno not in _OF_THIS_DISK or scheme == FOLDER
    return type(error).__module__.partition(".")[0] in _LIBRARIES


def is_final(error: Exception) -> bool:
    """Whether waiting does not help: it is refused, or there are no credentials."""
    refused = isinstance(error, PermissionError) or getattr(error, "status", None) in (401, 403)
    return refused or type(error).__name__ in _FINAL


def _options(scheme: str) -> dict[str, Any]:
    if scheme == S3:
        retries = {"max_attempts": 3, "mode": "standard"}
        return {
            "use_listings_cache": False,
            # given, because fsspec keeps a file system by its options
            "endpoint_url": os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
            "config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": retries},
        }
    if scheme in WEB:
        import aiohttp

        # its own limit is five minutes for a whole file
        limit = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        return {"use_listings_cache": False, "client_kwargs": {"timeout": limit, "trust_env": True}}
    return {"auto_mkdir": True} if scheme == FOLDER else {"use_listings_cache": False}
