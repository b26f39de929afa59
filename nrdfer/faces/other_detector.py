"""Detectors of other packages: chosen by name, called with pictures that fit, and checked answer by answer.

A package registers, under the entry points ``nrdfer.detectors``, a class or a function that returns an object with
``detect(picture)``: the faces of a picture (H, W, 3) uint8 RGB as a list of objects with ``box`` (4,): x1, y1, x2, y2;
``score``, 0 to 1; and ``points`` (5, 2): image-left eye, right eye, nose, left and right mouth corner; all in pixels of
that picture. Of ``threshold``, ``max_side`` and ``device`` it is given those that it takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.config.alignment import RETINAFACE
from nrdfer.core.errors import PluginError
from nrdfer.core.plugins import DETECTORS, Code, Plugin, find_plugin, last_line, recorded_plugin
from nrdfer.faces.detector import Face, Region

_BUILT_IN = (RETINAFACE,)


class OtherDetector:
    """A detector of another package, behind the interface of every detector.

    Whole frames are searched, shrunk to `max_side`; faces come back in pixels of the source, without those below the
    threshold, or outside of the picture.

    Args:
        name: of the detector.
        code: of the detector that is needed, as it was recorded; None: whatever is installed.
        threshold: least score of a face.
        max_side: longer pictures are shrunk to this many pixels.
        device: torch device.

    Raises:
        ProfileError: no installed package has a detector of that name.
        PluginError: the package cannot be imported, is another now, or gives no detector.
    """

    on_gpu = True  # no parts of frames are searched: how small a part a detector can do with is not known

    def __init__(
        self, name: str, code: Code | None = None, *, threshold: float = 0.7, max_side: int = 640, device: str = "cpu"
    ) -> None:
        plugin = recorded_plugin(DETECTORS, name, code, _BUILT_IN) if code else find_plugin(DETECTORS, name, _BUILT_IN)
        self.threshold, self.max_side = threshold, max_side
        self._made_of = name, plugin.code(), threshold, max_side, device
        self._title = plugin.title
        self._detect = _loaded(plugin, {"threshold": threshold, "max_side": max_side, "device": device})

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._made_of  # in each process anew: not every detector can be pickled

    def detect_batch(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """See `nrdfer.faces.detector.Detector`.

        Raises:
            PluginError: the detector failed, or answered with something else than faces.
        """
        return [self._faces(picture) for picture in pictures]

    def detect_in(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Face]:
        """As `detect_batch` for one picture, all of it, whatever the regions."""
        return self._faces(rgb)

    def _faces(self, rgb: NDArray[np.uint8]) -> list[Face]:
        height, width = rgb.shape[:2]
        scale = min(1.0, self.max_side / max(height, width))
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        try:
            answer = list(self._detect(np.ascontiguousarray(rgb)))
        except Exception as error:
            raise PluginError(
                f"the {self._title} fails on a picture of shape {rgb.shape} (height, width, RGB): {last_line(error)}"
            ) from error
        to_source = np.asarray([width / rgb.shape[1], height / rgb.shape[0]], np.float32)
        faces = [self._face(found, to_source, width, height) for found in answer]
        kept = [face for face in faces if face is not None and face.score > self.threshold]
        return sorted(kept, key=lambda face: -face.score)

    def _face(self, found: Any, to_source: NDArray[np.float32], width: int, height: int) -> Face | None:
        """One face in pixels of the source; None if it is none: outside of the picture, or of numbers that overflow."""
        box_4 = self._array(found, "box", (4,)) * np.tile(to_source, 2)
        points_52 = self._array(found, "points", (5, 2)) * to_source
        score = float(self._array(found, "score", ()))
        if not 0 <= score <= 1:
            raise PluginError(f"the {self._title} gives a face the score {score}; scores are 0 to 1")
        box_4 = np.clip(box_4, 0, np.asarray([width, height, width, height], np.float32))
        sound = np.isfinite(box_4).all() and np.isfinite(points_52).all() and (box_4[2:] - box_4[:2] > 1).all()
        return Face(box_4, score, points_52) if sound else None

    def _array(self, found: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        try:
            array = np.asarray(getattr(found, name), np.float32)
        except Exception as error:
            raise PluginError(
                f"the {self._title} answers with a {type(found).__name__} whose {name} cannot be read: "
                f"{last_line(error)}. detect must return a list of faces with box, score and points"
            ) from error
        if array.shape != shape:
            meant = {"box": "x1, y1, x2, y2", "points": "x and y of eyes, nose, mouth corners", "score": "a number"}
            raise PluginError(
                f"the {self._title} gives a face a {name} of shape {array.shape}; it must be {shape} ({meant[name]})"
            )
        return array


def _again(name: str, code: Code, threshold: float, max_side: int, device: str) -> OtherDetector:
    return OtherDetector(name, code, threshold=threshold, max_side=max_side, device=device)


def _loaded(plugin: Plugin, settings: dict[str, Any]) -> Any:
    """The function ``detect`` of a package's detector."""
    make = plugin.load()
    try:
        taken = inspect.signature(make).parameters
        made = make(**{name: value for name, value in settings.items() if name in taken})
    except Exception as error:
        raise PluginError(f"the {plugin.title} cannot be made: {last_line(error)}") from error
    detect = getattr(made, "detect", None)
    if not callable(detect):
        raise PluginError(f"the {plugin.title} is a {type(made).__name__} without a function detect(picture)")
    return detect
