"""What is looked at, and that looking at parts finds what looking at everything finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.faces.detector import Face, Region
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.priors import iou
from nrdfer.faces.sparse_detection import GRID, Looks, find_faces
from nrdfer.video.decode import iter_frames
from nrdfer.video.shots import ShotLabeller

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 640, 352
BLANK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def face(x: float, y: float, size: float = 60) -> Face:
    box = np.array([x, y, x + size, y + size], np.float32)
    return Face(box, 0.9, np.full((5, 2), x, np.float32))


class Scene:
    """A detector that sees what a script says; frames carry their number in the first pixel."""

    threshold, max_side, on_gpu = 0.7, 640, False

    def __init__(self, script: dict[int, list[Face]], blind: frozenset[int] = frozenset()) -> None:
        self.script, self.blind = script, blind  # blind: frames in which parts show nothing
        self.whole: list[int] = []
        self.parts: dict[int, list[Region]] = {}

    def detect_batch(self, pictures: list[np.ndarray]) -> list[list[Face]]:
        self.whole += [int(picture[0, 0, 0]) for picture in pictures]
        return [self.script.get(int(picture[0, 0, 0]), []) for picture in pictures]

    def detect_in(self, picture: np.ndarray, regions: list[Region]) -> list[Face]:
        number = int(picture[0, 0, 0])
        self.parts[number] = regions
        if number in self.blind:
            return []
        inside = []
        for found in self.script.get(number, []):
            x1, y1, x2, y2 = found.box
            if any(r[0] <= x1 and r[1] <= y1 and x2 <= r[2] and y2 <= r[3] for r in regions):
                inside.append(found)
        return inside


def frames(count: int, shots: list[int] | None = None) -> list[tuple[np.ndarray, int]]:
    made = []
    for number in range(count):
        frame = BLANK.copy()
        frame[0, 0] = number
        made.append((frame, 0 if shots is None else shots[number]))
    return made


def search(scene: Scene, given: list[tuple[np.ndarray, int]], every: int = 5) -> tuple[list[list[Face]], Looks]:
    looks = Looks()
    return list(find_faces(iter(given), scene, every, looks)), looks  # type: ignore[arg-type]


def test_a_followed_face_is_found_in_every_frame_at_a_fraction_of_the_pixels() -> None:
    script = {i: [face(100 + 4 * i, 80)] for i in range(23)}
    scene = Scene(script)
    found, looks = search(scene, frames(23))
    assert found == [script[i] for i in range(23)]
    assert scene.whole == [0, 5, 10, 15, 20, 22]  # the last frame too
    assert (looks.whole, looks.parts, looks.skipped) == (6, 17, 0)
    for regions in scene.parts.values():
        ((x1, y1, x2, y2),) = regions
        assert x1 % GRID == y1 % GRID == 0
        assert (x2 - x1) * (y2 - y1) < 0.15 * WIDTH * HEIGHT


def test_looking_at_everything_looks_at_everything() -> None:
    scene = Scene({})
    assert search(scene, frames(7), every=1)[0] == [[]] * 7
    assert scene.whole == list(range(7))
    with pytest.raises(ValueError, match="every 1 or more"):
        search(scene, frames(2), every=0)


def test_without_faces_at_both_ends_nothing_is_looked_at_between() -> None:
    scene = Scene({7: [face(100, 100)]})  # shows for one frame only
    found, looks = search(scene, frames(11))
    assert found == [[]] * 11
    assert (looks.whole, looks.parts, looks.skipped) == (3, 0, 8)


@pytest.mark.parametrize("length", [5, 6, 9])
@pytest.mark.parametrize("start", range(1, 6))
def test_a_face_that_shows_for_as_long_as_the_interval_is_never_missed(start: int, length: int) -> None:
    script = {i: [face(200, 100)] for i in range(start, start + length)}
    found, _ = search(Scene(script), frames(20))
    assert [bool(faces) for faces in found] == [i in script for i in range(20)]


def test_both_ends_of_a_shot_are_looked_at_whole() -> None:
    script = {i: [face(100, 80)] if i < 7 else [face(400, 200)] for i in range(14)}
    scene = Scene(script)
    found, _ = search(scene, frames(14, [0] * 7 + [1] * 7))
    assert found == [script[i] for i in range(14)]
    assert scene.whole == [0, 5, 6, 7, 12, 13]


def test_a_face_lost_between_two_looks_is_looked_for_in_the_whole_frame() -> None:
    script = {i: [face(100, 80)] for i in range(6)}
    scene = Scene(script, blind=frozenset({3}))
    found, looks = search(scene, frames(6))
    assert found[3] == script[3]
    assert sorted(scene.whole) == [0, 3, 5]
    assert looks.parts == 3


def test_faces_everywhere_are_not_worth_parts() -> None:
    crowd = [face(x, y, 90) for x in range(0, 600, 100) for y in (20, 130, 240)]
    scene = Scene(dict.fromkeys(range(6), crowd))
    found, looks = search(scene, frames(6))
    assert all(len(faces) == len(crowd) for faces in found)
    assert (looks.whole, looks.parts) == (6, 0)


def test_regions_do_not_overlap_and_stay_inside() -> None:
    near = [face(5, 5), face(70, 10), face(560, 280)]
    scene = Scene(dict.fromkeys(range(6), near))
    search(scene, frames(6))
    for regions in scene.parts.values():
        assert len(regions) == 2
        for x1, y1, x2, y2 in regions:
            assert 0 <= x1 < x2 <= WIDTH
            assert 0 <= y1 < y2 <= HEIGHT


def test_no_frames_give_no_faces() -> None:
    assert search(Scene({}), [])[0] == []


def test_a_gpu_gets_batches_of_whole_frames() -> None:
    scene = Scene({i: [face(100, 100)] for i in range(35)})
    scene.on_gpu = True
    found, looks = search(scene, frames(35))
    assert scene.whole == list(range(35))
    assert (len(found), looks.whole, looks.parts) == (35, 35, 0)


@pytest.mark.parametrize("clip", ["pyfeat_single_face.mp4", "pyfeat_WolfgangLanger_Pexels.mp4"])
def test_real_landmarks_agree_with_those_of_whole_frames(shared_dir: Path, clip: str) -> None:
    weights = shared_dir / "weights" / "retinaface_mobilenet0.25.pth"
    given = [frame for _, frame in zip(range(60), iter_frames(shared_dir / "clips" / clip), strict=False)]
    labeller = ShotLabeller()
    looks = Looks()
    detector = load_detector(weights)
    found = list(find_faces(((frame, labeller.label(frame)) for frame in given), detector, looks=looks))
    plain = load_detector(weights, backend="torch")
    errors = []
    for frame, faces in zip(given, found, strict=True):
        (wanted,) = plain.detect(frame)
        overlaps = iou(wanted.box, np.stack([face.box for face in faces]))
        errors.append(float(np.linalg.norm(faces[int(overlaps.argmax())].points - wanted.points, axis=1).mean()))
    assert looks.parts > 2 * looks.whole
    assert np.median(errors) < 1
