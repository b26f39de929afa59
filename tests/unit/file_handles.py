"""A process that has no file handle left, as one with too many files open."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_file_handle_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    handle = os.open(os.devnull, os.O_RDONLY)  # the lowest that is free
    os.close(handle)
    resource.setrlimit(resource.RLIMIT_NOFILE, (handle, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
