"""Parsing of requests, strictly: JSON without NaN, of known keys, shapes and types, within the limits.

The forms are MLflow's (``inputs``, ``instances``, ``dataframe_records``, ``dataframe_split``), so its clients work. No
reply is made here, and no file is opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nrdfer.serving.emotion_model import CLIP
from nrdfer.serving.limits import Limits, RequestError

FORMS = ("inputs", "instances", "dataframe_records", "dataframe_split")
_DEPTH = 12  # lists within lists; clips need five, and what holds them
_COLOURS = 3


def read_json(body: bytes, limits: Limits) -> dict[str, Any]:
    """A request's body as a mapping.

    Raises:
        RequestError: it is no strict JSON, or holds more values than are taken.
    """
    # counted before anything is made of it: two bytes of JSON can become a hundred of memory
    lists = body.count(b"[") + body.count(b"{")
    many = body.count(b",") + lists
    if many > limits.values:
        raise RequestError(f"the request holds about {many:,} values, more than the {limits.values:,} allowed", 413)
    if lists > limits.values // 4:
        raise RequestError("the request holds more lists than are allowed here", 413)
    try:
        given = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except UnicodeDecodeError as error:
        raise RequestError(f"the request is not UTF-8 (byte {error.start})", 400) from error
    except RecursionError as error:
        raise RequestError("the request's lists are nested too deeply", 400) from error
    except ValueError as error:
        raise RequestError(f"the request is not JSON: {str(error)[:200]}", 400) from error
    if not isinstance(given, dict):
        raise RequestError(f"a request is a JSON object with one of {', '.join(FORMS)}, not a {_kind(given)}", 400)
    return given


def clips_of(given: Mapping[str, Any], limits: Limits, frames: int) -> npt.NDArray[np.float32]:
    """Clips of aligned crops, (B, T, 3, H, W).

    Args:
        given: the request.
        limits: of requests.
        frames: T, which the network takes.

    Raises:
        RequestError: the request holds something else.
    """
    form, value = _form(given)
    if form == "instances" and isinstance(value, list) and value and isinstance(value[0], dict):
        value = [_only(entry, CLIP) for entry in value]
    elif isinstance(value, dict):
        value = _only(value, CLIP)
    elif form.startswith("dataframe"):
        raise RequestError(f"clips are given as inputs: {{{CLIP}: [...]}}, not as a table")
    shape = _shape(value)
    wrong = len(shape) != 5 or shape[1:3] != (frames, _COLOURS)
    if wrong or not all(0 < side <= limits.side for side in shape[3:]):
        raise RequestError(
            f"clips have the shape (B, {frames}, {_COLOURS}, H, W) with sides of 1 to {limits.side} pixels, not {shape}"
        )
    if not shape[0]:
        raise RequestError("the request holds no clip")
    out = np.empty(shape, np.float32)
    _fill(out.reshape(-1, shape[-1]), _rows(value, shape))
    if not bool(((out >= 0) & (out <= 1)).all()):
        raise RequestError("pixel values must be numbers from 0 to 1 (divide 8-bit values by 255)")
    return out


def videos_of(given: Mapping[str, Any], limits: Limits) -> list[dict[str, str]]:
    """Videos: a mapping with ``path`` or ``video`` (base64) each.

    Raises:
        RequestError: the request holds something else.
    """
    form, value = _form(given)
    rows = _split(value) if form == "dataframe_split" else value
    if isinstance(rows, dict):  # columns
        rows = _by_columns(rows)
    if not isinstance(rows, list):
        raise RequestError(f"{form} must be a list with one mapping for each video, not a {_kind(rows)}")
    if not rows:
        raise RequestError("the request holds no video")
    if len(rows) > limits.videos:
        raise RequestError(f"the request holds {len(rows)} videos, more than the {limits.videos} allowed at once", 413)
    return [_video(number, row) for number, row in enumerate(rows)]


def _form(given: Mapping[str, Any]) -> tuple[str, Any]:
    unknown = sorted(set(given) - {*FORMS, "params"})
    forms = [form for form in FORMS if form in given]
    if unknown or len(forms) != 1:
        message = (
            f"it has {', '.join(map(ascii, unknown))[:200]}" if unknown else f"it has {' and '.join(forms) or 'none'}"
        )
        raise RequestError(f"a request holds exactly one of {', '.join(FORMS)}; {message}", 400)
    if given.get("params"):
        raise RequestError("this model takes no params", 400)
    return forms[0], given[forms[0]]


def _only(entry: Any, name: str) -> Any:
    if not isinstance(entry, dict) or set(entry) != {name}:
        raise RequestError(f"each input is a mapping with {name!r} alone, not {_kind(entry)}")
    return entry[name]


def _shape(value: Any) -> tuple[int, ...]:
    """Lengths of nested lists, each taken from its first item."""
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > _DEPTH or not value:
            break
        value = value[0]
    return tuple(shape)


def _rows(value: list[Any], shape: Sequence[int]) -> list[list[Any]]:
    """The innermost lists, all as long as the shape says."""
    lists: list[Any] = [value]
    for axis, length in enumerate(shape):
        if not all(isinstance(one, list) and len(one) == length for one in lists):
            raise RequestError(f"the clips' lists are not all of the shape {tuple(shape)} (axis {axis})")
        if axis < len(shape) - 1:
            lists = [inner for one in lists for inner in one]
    return lists


def _fill(out: npt.NDArray[np.float32], rows: Sequence[list[Any]]) -> None:
    for target, row in zip(out, rows, strict=True):
        if not set(map(type, row)) <= {int, float}:
            odd = next(value for value in row if type(value) not in (int, float))
            raise RequestError(f"pixel values must be numbers from 0 to 1, not {_kind(odd)}")
        try:
            with np.errstate(over="ignore"):  # what becomes infinite is refused with everything above 1
                target[:] = row
        except (OverflowError, ValueError) as error:
            raise RequestError("pixel values must be numbers from 0 to 1; one is beyond the range of floats") from error


def _split(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict) or not set(value) <= {"columns", "data", "index"}:
        raise RequestError("dataframe_split is a mapping with columns and data")
    columns, data = value.get("columns"), value.get("data")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise RequestError("columns is a list of names")
    if not isinstance(data, list) or not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        raise RequestError(f"data is a list of rows with {len(columns)} values each")
    if len(set(columns)) != len(columns):
        raise RequestError("columns names one column twice")
    return [dict(zip(columns, row, strict=True)) for row in data]


def _by_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    if all(isinstance(values, list) for values in columns.values()):
        if len({len(values) for values in columns.values()}) > 1:
            raise RequestError("the columns have different lengths")
        names = list(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [dict(columns)]


def _video(number: int, row: Any) -> dict[str, str]:
    if not isinstance(row, dict):
        raise RequestError(f"video {number} is a mapping with path or video, not {_kind(row)}")
    unknown = sorted(set(row) - {"path", "video"})
    if unknown:
        raise RequestError(f"video {number} has {', '.join(map(ascii, unknown))[:200]}; known are path and video")
    for name, value in row.items():
        if value is not None and not isinstance(value, str):
            raise RequestError(f"{name} of video {number} must be text, not {_kind(value)}")
    found = {name: value for name, value in row.items() if value}
    if len(found) != 1:
        raise RequestError(f"video {number} gives {'both path and video' if found else 'neither path nor video'}")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has one key twice")
    return found


def _kind(value: Any) -> str:
    names = {dict: "mapping", list: "list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number")
