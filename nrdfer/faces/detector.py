"""Finding faces in a picture with RetinaFace: whole pictures or regions, and decoding.

A detector always carries the `Convention` of its weights, known from the file's content or stated by the user. Which
regions of a video's frames are searched is decided in `nrdfer.faces.sparse_detection`, which face of a frame is the
target in `nrdfer.faces.tracking`; loading of weights belongs to `nrdfer.faces.load_detector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from nrdfer.faces.backends import make_engine
from nrdfer.faces.input_conventions import Convention
from nrdfer.faces.network import RetinaFaceNet
from nrdfer.faces.priors import decode_boxes, decode_points, nms, prior_boxes

MAX_CANDIDATES = 1000  # best anchors of a picture that enter suppression
NMS_THRESHOLD = 0.4
Region = tuple[int, int, int, int]  # x1, y1, x2, y2 of whole pixels; the second corner is exclusive
_Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """One detected face, in pixels of the picture it was found in."""

    box: NDArray[np.float32]  # (4,) x1, y1, x2, y2, within the picture
    score: float  # 0 to 1
    points: NDArray[np.float32]  # (5, 2) image-left eye, right eye, nose, left and right mouth corner; may be outside


class Detector(Protocol):
    """Interface of every detector, as alignment knows it."""

    threshold: float  # least score of a face
    max_side: int  # pixels: longer pictures are shrunk to it before they are searched

    @property
    def on_gpu(self) -> bool:
        """Whether whole frames are searched, in batches, and not parts of them."""

    def detect_batch(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Faces of several pictures of one size, (H, W, 3) uint8 RGB, best score first."""

    def detect_in(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Face]:
        """Faces of one picture within regions of it as it is searched, best score first."""


class FaceDetector:
    """RetinaFace ready for use; pictures are passed as RGB whatever its weights expect.

    Args:
        net: the network with its weights; it is put into evaluation mode. Later changes of its weights do
            not reach the detector.
        convention: what input these weights were trained with.
        threshold: least score of a face.
        max_side: longer pictures are shrunk to this many pixels (their faces come back in source pixels);
            small ones are never enlarged.
        device: torch device.
        backend: "onnxruntime" (CPU only), "torch", or "auto": ONNX Runtime on a CPU.

    Raises:
        ValueError: a threshold outside 0..1, a `max_side` below 32, or a backend that does not fit.
    """

    def __init__(
        self,
        net: RetinaFaceNet,
        convention: Convention,
        *,
        threshold: float = 0.7,
        max_side: int = 640,
        device: str = "cpu",
        backend: str = "auto",
    ) -> None:
        if not 0 <= threshold < 1:
            raise ValueError(f"the detector's threshold must be in 0..1, not {threshold}")
        if max_side < 32:
            raise ValueError(f"max_side {max_side} is smaller than the coarsest stride of the detector, 32 pixels")
        self.net = net.to(device=device).eval()
        self.convention = convention
        self.threshold = threshold
        self.max_side = max_side
        self.device = device
        self.engine = make_engine(self.net, convention, device, backend)

    @property
    def on_gpu(self) -> bool:
        """Whether batches of whole frames are faster than detection in parts of them."""
        return torch.device(self.device).type != "cpu"

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Faces of one picture (H, W, 3) uint8 RGB, best score first; empty if there is none.

        Raises:
            ValueError: not an (H, W, 3) uint8 array.
        """
        return self.detect_batch([rgb])[0]

    def detect_batch(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Faces of several pictures of one size in one forward pass; on a CPU a batch is not faster.

        Raises:
            ValueError: pictures of different sizes, or not (H, W, 3) uint8.
        """
        if not pictures:
            return []
        height, width = pictures[0].shape[:2]
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.shape != (height, width, 3):
                raise ValueError(
                    f"the detector takes uint8 pictures of one shape (H, W, 3); got {picture.dtype} "
                    f"{picture.shape} beside {pictures[0].shape}"
                )
        seen_BHWC = np.stack([self.shrink(picture) for picture in pictures])
        whole = (0, 0, seen_BHWC.shape[2], seen_BHWC.shape[1])
        scale = (width / whole[2], height / whole[3])
        return [
            self._kept(self._found(b, s, p, whole, scale), width, height)
            for b, s, p in zip(*self.engine(seen_BHWC), strict=True)
        ]

    def detect_in(self, rgb: NDArray[np.uint8], regions: Sequence[Region]) -> list[Face]:
        """Faces of one picture within regions of it, as `detect` would find them there, best score first.

        Args:
            rgb: (H, W, 3) uint8.
            regions: in pixels of the picture that the network sees (`shrink`). Left and top edges on multiples of
                32 leave the anchors where they are in the whole picture.
        """
        height, width = rgb.shape[:2]
        seen = self.shrink(rgb)
        scale = (width / seen.shape[1], height / seen.shape[0])
        found = []
        for region in regions:
            x1, y1, x2, y2 = region
            part = np.ascontiguousarray(seen[None, y1:y2, x1:x2])
            (boxes,), (scores,), (points,) = self.engine(part)
            found.append(self._found(boxes, scores, points, region, scale))
        if not found:
            return []
        boxes_N4, scores_N, points_N52 = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return self._kept((boxes_N4, scores_N, points_N52), width, height)

    def shrink(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as the network sees it: its longest side at most `max_side`."""
        scale = self.max_side / max(rgb.shape[:2])
        if scale < 1:
            size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
            rgb = cast(NDArray[np.uint8], cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
        return rgb

    def _found(
        self,
        boxes_P4: NDArray[np.float32],
        scores_P: NDArray[np.float32],
        points_P10: NDArray[np.float32],
        region: Region,
        scale: tuple[float, float],
    ) -> _Candidates:
        """Candidates of one region in pixels of the source."""
        x1, y1, x2, y2 = region
        chosen = np.flatnonzero(scores_P > self.threshold)
        chosen = chosen[np.argsort(-scores_P[chosen], kind="stable")][:MAX_CANDIDATES]
        priors_N4 = prior_boxes(y2 - y1, x2 - x1)[chosen]
        size, corner = np.asarray([x2 - x1, y2 - y1], np.float32), np.asarray([x1, y1], np.float32)
        to_source = np.asarray(scale, np.float32)
        boxes_N4 = decode_boxes(boxes_P4[chosen], priors_N4) * np.tile(size, 2)
        points_N52 = decode_points(points_P10[chosen], priors_N4).reshape(-1, 5, 2) * size
        boxes_N4 = (boxes_N4 + np.tile(corner, 2)) * np.tile(to_source, 2)
        return boxes_N4, scores_P[chosen], (points_N52 + corner) * to_source

    @staticmethod
    def _kept(candidates: _Candidates, width: int, height: int) -> list[Face]:
        """Faces among candidates: valid numbers, and no two of one face."""
        boxes_N4, scores_N, points_N52 = candidates
        boxes_N4 = np.clip(boxes_N4, 0, np.asarray([width, height, width, height], np.float32))
        # a face outside of the picture, or with overflowed numbers, is no face
        sound = np.isfinite(boxes_N4).all(1) & np.isfinite(points_N52).all((1, 2))
        sound &= (boxes_N4[:, 2:] - boxes_N4[:, :2] > 1).all(1)
        boxes_N4, points_N52, scores_N = boxes_N4[sound], points_N52[sound], scores_N[sound]
        kept = nms(boxes_N4, scores_N, NMS_THRESHOLD)
        return [Face(boxes_N4[i].copy(), float(scores_N[i]), points_N52[i].copy()) for i in kept]
