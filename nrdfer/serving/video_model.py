"""The whole chain behind MLflow's pyfunc interface: a video's path or its bytes in, emotions out.

Files are opened by their path only inside the folders that are named when the model is loaded; by default there is
none, and the model takes bytes. Anything that ffmpeg would interpret as an address or a list of other files is refused.
Aligned crops have their own model (`emotion_model`); a server's limits belong to `limits`.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nrdfer.core.errors import NoFaceError, UnreadableVideoError
from nrdfer.core.plain_text import name_text, utf8
from nrdfer.predict.asked import WINDOWS
from nrdfer.serving.base import ServedModel
from nrdfer.serving.limits import RequestError, allowed_file
from nrdfer.video.bounds import Bounds, OutOfBoundsError, bounded, check_header

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from nrdfer.predict.result import Prediction

PATH, VIDEO = "path", "video"  # columns; a row gives one of them
MAX_BYTES = 1 << 30  # of a video that is sent
_ADDRESS = re.compile(r"-|[A-Za-z][A-Za-z0-9+.\-]*:")  # http: concat: data: pipe: file: ... and options
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class VideoModel(ServedModel):
    """Predicts the emotions of the people in each video."""

    def load_context(self, context: Any) -> None:
        """Load what `nrdfer.serving.video_bundle.write_bundle` gathered; every file's sha256 is checked first."""
        from nrdfer.serving.video_bundle import load_bundle

        config = getattr(context, "model_config", None) or {}
        self.predictor = load_bundle(context.artifacts, answer=str(config.get("answer", WINDOWS)))
        given = config.get("folders", ())
        self.folders = [given] if isinstance(given, str) else [str(folder) for folder in given]

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict videos.

        Args:
            context: MLflow's; not used.
            model_input: a table, or what becomes one (a list of records, a mapping of columns), with the column
                ``path`` (a file in one of the model's folders, str), or ``video`` (the file's bytes; over HTTP their
                base64), or both with one of them set in each row. A single path, or a list of paths, will do, too.
            params: not used.

        Returns:
            One row a video, in order: ``emotion``, ``status`` (ok, no_face, too_few_faces, unreadable), ``reason``,
            ``frames``, ``frames_with_face``, ``probability_<emotion>`` after the snippet-based filter,
            ``logit_<emotion>`` before it, ``timeline`` (a list of mappings, one a window) and ``people`` (likewise, one
            a person, the main one first, of whom the other columns are). A video without an answer has neither emotion
            nor numbers.

        Raises:
            ValueError: the input has neither column.
        """
        rows = [self._row(given) for given in _rows_of(model_input)]
        # of numbers, pandas would make None NaN, which is no JSON
        return pd.DataFrame(rows, columns=list(_columns(self.emotions)), dtype=object)

    def _row(self, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.answer(given)
        except (UnreadableVideoError, NoFaceError, RequestError) as error:
            return self.unreadable(str(error))

    @property
    def emotions(self) -> tuple[str, ...]:
        """The network's label set."""
        return self.predictor.emotions

    def unreadable(self, reason: str) -> dict[str, Any]:
        """The row of a video that could not be read."""
        from nrdfer.predict.result import UNREADABLE, Prediction

        return _as_row(Prediction(UNREADABLE, reason), self.emotions)

    def answer(self, given: Mapping[str, Any], bounds: Bounds | None = None) -> dict[str, Any]:
        """One row of `predict`.

        Args:
            given: ``path`` or ``video``.
            bounds: what is decoded at most.

        Raises:
            RequestError: the path is outside of the model's folders.
            UnreadableVideoError: the row gives nothing that could be a video, or one beyond the bounds.
        """
        path, content = _text(given.get(PATH)), _bytes(given.get(VIDEO), MAX_BYTES if bounds is None else bounds.size)
        if (path is None) == (content is None):
            raise UnreadableVideoError(f"a row gives either {PATH} or {VIDEO}; this one gives {_given(given)}")
        if content is None:
            return self._answer(local_file(str(path), self.folders), name_text(str(path)), bounds)
        with tempfile.TemporaryDirectory(prefix="nrdfer-video-") as folder:
            file = Path(folder) / "video"
            file.write_bytes(content)
            return self._answer(file, "the video", bounds)

    def _answer(self, file: Path, name: str, bounds: Bounds | None) -> dict[str, Any]:
        """A row whose reason names the video as the caller does, not by its real path."""
        try:
            if bounds is None:
                prediction = self.predictor.predict(file)
            else:
                check_header(file, bounds)
                with bounded(bounds):
                    prediction = self.predictor.predict(file)
        except (UnreadableVideoError, NoFaceError) as error:
            raise type(error)(str(error).replace(str(file), name)) from error
        named = dataclasses.replace(prediction, reason=prediction.reason.replace(str(file), name))
        return _as_row(named, self.emotions)


def video_signature(emotions: Sequence[str]) -> ModelSignature:
    """The signature to register `VideoModel` with, for a label set: either column may be missing."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    kinds: dict[str, Any] = {
        "text": DataType.string,
        "count": DataType.long,
        "number": DataType.double,
        "values": AnyType(),  # type: ignore[no-untyped-call]
    }
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(DataType.string, name=PATH, required=False),
                ColSpec(DataType.binary, name=VIDEO, required=False),
            ]
        ),
        outputs=Schema([ColSpec(kinds[kind], name=name, required=False) for name, kind in _columns(emotions).items()]),
    )


def local_file(path: str, folders: Sequence[str]) -> Path:
    """Resolved path of a local file; that it is in one of the folders is checked before the file is accessed.

    A text like an address or an option is a file only if one exists there. Elsewhere it is refused without access, so
    that nothing is revealed of what exists, in a row of its own: its sender did not mean a file.

    Raises:
        RequestError: it is outside of the folders, or there is none.
        UnreadableVideoError: it looks like an address or an option, or no file can be called so.
    """
    odd = bool(_ADDRESS.match(path)) and not _DRIVE.match(path)
    try:
        place = allowed_file(path, folders)
        if not odd or place.is_file():
            return place
    except RequestError:
        if not odd or not folders:
            raise
    raise UnreadableVideoError(f"{ascii(path)[:200]} is an address or an option; only local files are opened here")


def _columns(emotions: Sequence[str]) -> dict[str, str]:
    """Name -> kind of the answer's columns."""
    return {
        "emotion": "text",
        "status": "text",
        "reason": "text",
        "frames": "count",
        "frames_with_face": "count",
        **{f"probability_{name}": "number" for name in emotions},
        **{f"logit_{name}": "number" for name in emotions},
        "timeline": "values",
        "people": "values",
    }


def _as_row(prediction: Prediction, emotions: Sequence[str]) -> dict[str, Any]:
    from nrdfer.predict.result import person_to_dict, timeline_to_list

    answer = prediction.answer
    nothing = (None,) * len(emotions)  # JSON has no word for NaN
    probabilities: Sequence[float | None] = nothing if answer is None else answer.probabilities
    logits: Sequence[float | None] = nothing if answer is None else answer.logits
    return {
        "emotion": None if answer is None else answer.emotion,
        "status": prediction.status,
        "reason": utf8(prediction.reason),
        "frames": len(prediction.records),
        "frames_with_face": prediction.frames_with_face,
        **{f"probability_{name}": p for name, p in zip(emotions, probabilities, strict=True)},
        **{f"logit_{name}": p for name, p in zip(emotions, logits, strict=True)},
        "timeline": timeline_to_list(prediction),
        "people": [person_to_dict(person) for person in prediction.people],
    }


def _rows_of(given: Any) -> list[dict[str, Any]]:
    """A caller's input as one mapping per video."""
    if isinstance(given, str | Path | bytes | bytearray):
        given = [given]
    if isinstance(given, Mapping):
        single = all(isinstance(value, str | Path | bytes | bytearray | None) for value in given.values())
        given = pd.DataFrame([given] if single else given)
    if not isinstance(given, pd.DataFrame):
        given = pd.DataFrame([_record(entry) for entry in given])
    known = [name for name in (PATH, VIDEO) if name in given.columns]
    if not known:
        raise ValueError(
            f"a table of videos has the column {PATH} (local files) or {VIDEO} (a file's bytes); this one has "
            f"{', '.join(map(str, given.columns)) or 'none'}"
        )
    return [dict(row.items()) for row in given[known].to_dict("records")]


def _record(entry: Any) -> Any:
    if isinstance(entry, bytes | bytearray):
        return {VIDEO: bytes(entry)}
    return {PATH: str(entry)} if isinstance(entry, str | Path) else entry


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and pd.isna(value)) or value == "":
        return None
    if not isinstance(value, str | Path):
        raise UnreadableVideoError(f"{PATH} must be text, not {type(value).__name__}")
    return str(value)


def _bytes(value: Any, most: int) -> bytes | None:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return None
    if isinstance(value, str):  # a request without a signature to decode it by
        try:
            value = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UnreadableVideoError(f"{VIDEO} is text that is not base64 ({error})") from error
    if not isinstance(value, bytes | bytearray):
        raise UnreadableVideoError(f"{VIDEO} must be bytes, not {type(value).__name__}")
    if len(value) > most:
        raise OutOfBoundsError(f"{VIDEO} has {len(value):,} bytes, more than the {most:,} allowed here")
    return bytes(value)


def _given(given: Mapping[str, Any]) -> str:
    return "both" if all(given.get(name) is not None for name in (PATH, VIDEO)) else "neither"
