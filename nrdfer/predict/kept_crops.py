"""Crops of a video as JPEG: in memory, and from some size on in a temporary file without a name.

Which frames are cropped belongs to `crops`.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

from nrdfer.core.errors import MachineError

IN_MEMORY = 64 << 20  # bytes: some ten minutes of one person


class KeptCrops:
    """Pictures one after the other; the file, which nobody else can open, goes with the last reference to this.

    Args:
        in_memory: bytes that are kept without a file.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory, prefix="nrdfer-crops-")  # noqa: SIM115
        # closed when nothing refers to it any more: crops are read for as long as a prediction is used
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._guard = threading.Lock()

    def add(self, jpeg: bytes) -> tuple[int, int]:
        """Keep a picture; returns its place.

        Raises:
            MachineError: the disk is full, or the folder for temporary files cannot be written to.
        """
        with self._guard:
            try:
                self._file.seek(self._end)
                self._file.write(jpeg)
                self._file.flush()
            except OSError as error:
                raise MachineError(
                    f"crops cannot be kept in {Path(tempfile.gettempdir())} ({error.strerror}); make room there, or "
                    "set TMPDIR to a folder with room"
                ) from error
            place = self._end, len(jpeg)
            self._end += len(jpeg)
        return place

    def read(self, place: tuple[int, int]) -> bytes:
        """A picture by its place."""
        with self._guard:
            self._file.seek(place[0])
            return self._file.read(place[1])


class CropsOfPerson(Mapping[int, bytes]):
    """Frame -> JPEG of one person's crop. A copy or a pickle of it is a plain dictionary."""

    def __init__(self, kept: KeptCrops) -> None:
        self._kept = kept
        self._places: dict[int, tuple[int, int]] = {}

    def add(self, frame: int, jpeg: bytes) -> None:
        """Keep the crop of a frame.

        Raises:
            MachineError: see `KeptCrops.add`.
        """
        self._places[frame] = self._kept.add(jpeg)

    def __getitem__(self, frame: int) -> bytes:
        return self._kept.read(self._places[frame])

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __reduce__(self) -> tuple[type[dict[int, bytes]], tuple[dict[int, bytes]]]:
        return dict, (dict(self),)
