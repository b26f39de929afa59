"""A model's replies to requests: bytes in, a status and strict JSON out, never an exception or a traceback.

How requests arrive belongs to `app`; in which process they are answered, to `workers`.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nrdfer.core.errors import NrdferError, UnreadableVideoError
from nrdfer.core.plain_text import utf8
from nrdfer.serving.base import ServedModel
from nrdfer.serving.emotion_model import EmotionModel
from nrdfer.serving.limits import Limits, RequestError
from nrdfer.serving.requests import clips_of, read_json, videos_of
from nrdfer.serving.video_model import VideoModel
from nrdfer.video.bounds import Bounds, OutOfBoundsError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """HTTP reply to a request."""

    status: int
    body: bytes  # JSON


def refusal(message: str, status: int) -> Reply:
    """A reply with the reason why there is no prediction."""
    return Reply(status, json.dumps({"error": utf8(message), "status": status}, allow_nan=False).encode())


class Service:
    """One loaded model and its input format.

    Args:
        model: of crops or of videos.
        limits: of a request.
    """

    def __init__(self, model: ServedModel, limits: Limits | None = None) -> None:
        self._model = model
        self._limits = limits or Limits()

    def reply(self, body: bytes) -> Reply:
        """Reply to one request's body."""
        try:
            rows = self._rows(read_json(body, self._limits))
            return Reply(200, json.dumps({"predictions": rows}, allow_nan=False).encode())
        except RequestError as error:
            return refusal(str(error), error.status)
        except OutOfBoundsError as error:
            return refusal(str(error), 413)
        except NrdferError as error:
            return refusal(str(error), 422)
        except MemoryError:
            return refusal("the request needs more memory than there is; send less at a time", 413)
        except Exception:
            _log.exception("a request could not be answered")  # the log is the starter's; a caller learns no paths
            return refusal("an internal error of the server; see its log", 500)

    def _rows(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        if isinstance(self._model, VideoModel):
            limits = self._limits
            bounds = Bounds(limits.frames, limits.pixels, limits.duration, limits.video_bytes)
            return [_video_row(self._model, row, bounds) for row in videos_of(given, limits)]
        if not isinstance(self._model, EmotionModel):
            raise TypeError(f"{type(self._model).__name__} is not served")
        table = self._model.predict(None, clips_of(given, self._limits, self._model.frames))
        return [_finite(row) for row in table.to_dict("records")]


def _video_row(model: VideoModel, given: Mapping[str, str], bounds: Bounds) -> dict[str, Any]:
    """One video's row; an invalid or damaged one gets a row with the reason, so that the others are processed."""
    try:
        return _finite(model.answer(given, bounds))
    except OutOfBoundsError:
        raise
    except UnreadableVideoError as error:
        return model.unreadable(str(error))


def _finite(row: Mapping[Any, Any]) -> dict[str, Any]:
    plain = {str(key): float(value) if hasattr(value, "dtype") else value for key, value in row.items()}
    if not all(map(_is_finite, plain.values())):
        raise NrdferError("the network's output is not a number: its weights do not fit the input")
    return plain


def _is_finite(value: Any) -> bool:
    """Whether a value, and all within it, can be written as JSON."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
