from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.settings import AugmentSettings, Sampling


def _source(emotions: Sequence[str | None], frames: int = 20) -> MemorySource:
    rng = np.random.default_rng(0)
    clips = []
    for i, emotion in enumerate(emotions):
        record = ClipRecord("dfew", f"{i:05d}", emotion, "", frames, "0" * 64)
        clips.append((record, rng.integers(0, 256, (frames, 24, 24, 3), dtype=np.uint8)))
    return MemorySource(clips)


def _dataset(source: MemorySource, *, augment: bool = True, seed: int = 0) -> ClipDataset:
    return ClipDataset(
        source,
        source.clip_ids,
        image_size=16,
        emotions=EMOTIONS,
        seed=seed,
        augment=AugmentSettings() if augment else None,
    )


def test_an_epoch_is_a_permutation_of_its_seed_and_number() -> None:
    data = _dataset(_source(["fear"] * 30))
    first, second = data.order(1), data.order(2)
    assert sorted(first) == sorted(second) == list(range(30))
    assert first.tolist() != second.tolist()
    assert first.tolist() == _dataset(data.source).order(1).tolist()  # type: ignore[arg-type]
    assert (
        first.tolist()
        != ClipDataset(data.source, data.clip_ids, image_size=16, emotions=EMOTIONS, seed=1).order(1).tolist()
    )


def test_oversampling_draws_every_emotion_equally_often() -> None:
    emotions = ["happiness"] * 90 + ["disgust"] * 10
    data = _dataset(_source(emotions, frames=2))
    drawn = Counter(emotions[i] for epoch in range(40) for i in data.order(epoch, oversample=True))
    assert drawn["disgust"] / drawn.total() == pytest.approx(0.5, abs=0.03)
    assert len(data.order(1, oversample=True)) == 100


def test_a_clip_depends_on_seed_epoch_and_position_only() -> None:
    source = _source(["fear", "anger"])
    data = _dataset(source)
    clip = data.get(1, epoch=3)
    data.get(0, epoch=7)  # what else was read does not matter
    np.testing.assert_array_equal(clip, data.get(1, epoch=3))
    assert not np.array_equal(clip, data.get(1, epoch=4))
    assert not np.array_equal(clip, _dataset(source, seed=1).get(1, epoch=3))


def test_testing_sees_the_same_clip_in_every_epoch() -> None:
    data = _dataset(_source(["fear"]), augment=False)
    np.testing.assert_array_equal(data.get(0, epoch=1), data.get(0, epoch=2))


def test_a_batch_holds_clips_and_labels_in_the_asked_order() -> None:
    data = _dataset(_source(list(EMOTIONS)))
    x, y = data.batch([6, 0], epoch=2)
    assert x.shape == (2, 16, 3, 16, 16)
    assert y.tolist() == [6, 0]
    np.testing.assert_array_equal(x[1], data.get(0, epoch=2))


def test_only_the_sampled_frames_are_read() -> None:
    class Counting(MemorySource):
        asked: list[list[int] | None]

        def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
            self.asked.append(None if indices is None else list(indices))
            return super().frames(clip_id, indices)

    record = ClipRecord("dfew", "00001", "fear", "", 200, "0" * 64)
    source = Counting([(record, np.zeros((200, 8, 8, 3), np.uint8))])
    source.asked = []
    ClipDataset(source, ["00001"], image_size=8, emotions=EMOTIONS).get(0)
    (indices,) = source.asked
    assert indices is not None
    assert len(indices) == 16


def test_a_clip_without_emotion_is_refused() -> None:
    with pytest.raises(ValueError, match="00001 has no emotion"):
        _dataset(_source(["fear", None]))


def test_memory_refuses_what_is_not_a_clip() -> None:
    record = ClipRecord("dfew", "00001", "fear", "", 2, "0" * 64)
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="twice"):
        MemorySource([(record, frames), (record, frames)])
    with pytest.raises(ValueError, match="3 frames, but its record says 2"):
        MemorySource([(record, np.zeros((3, 8, 8, 3), np.uint8))])
    with pytest.raises(ValueError, match="uint8"):
        MemorySource([(record, frames.astype(np.float32))])  # type: ignore[list-item]


@pytest.mark.parametrize("strategy", ["ds", "ti", "linear"])
@pytest.mark.parametrize("frames", [1, 2, 9, 15, 16, 40])
def test_clips_of_any_length_become_sixteen_frames_in_training_and_testing(strategy: str, frames: int) -> None:
    source = _source(["fear"], frames=frames)
    for augment in (None, AugmentSettings()):
        data = ClipDataset(
            source, ["00000"], image_size=16, emotions=EMOTIONS, sampling=Sampling(strategy), augment=augment
        )
        clip = data.get(0, epoch=1)
        assert clip.shape == (16, 3, 16, 16)
        assert np.isfinite(clip).all()
        assert 0 <= clip.min() < clip.max() <= 1


def test_interpolated_clips_keep_their_ends_and_need_no_seed() -> None:
    source = _source(["fear"], frames=40)
    data = ClipDataset(source, ["00000"], image_size=24, emotions=EMOTIONS, sampling=Sampling("ti"))
    clip, frames = data.get(0), source.frames("00000")
    for ours, frame in ((clip[0], frames[0]), (clip[-1], frames[-1])):
        np.testing.assert_allclose(ours.transpose(1, 2, 0), frame / 255, atol=1e-6)
    other = ClipDataset(source, ["00000"], image_size=24, emotions=EMOTIONS, sampling=Sampling("ti"), seed=5)
    np.testing.assert_array_equal(clip, other.get(0, epoch=3))
    blended = ClipDataset(source, ["00000"], image_size=24, emotions=EMOTIONS, sampling=Sampling("linear")).get(0)
    assert np.abs(clip - blended).max() > 0.1


def test_a_plan_holds_everything_random_and_reads_nothing() -> None:
    source = _source(["fear", "anger"])
    data = _dataset(source)
    clip = data.get(1, epoch=3)
    plan = data.plan(1, epoch=3)
    assert plan == data.plan(1, epoch=3)
    assert plan != data.plan(1, epoch=4)
    source._clips.clear()
    again = data.plan(1, epoch=3)
    x_TSSC = data.empty()
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (20, 24, 24, 3), dtype=np.uint8) for _ in range(2)][1]
    data.make(again, x_TSSC, lambda clip_id, indices: frames[list(indices or ())])
    np.testing.assert_array_equal(x_TSSC.transpose(0, 3, 1, 2), clip)


def test_clips_lie_in_memory_with_the_colours_last() -> None:
    data = _dataset(_source(["fear", "anger"]))
    assert data.get(0).transpose(0, 2, 3, 1).flags.c_contiguous
    assert data.batch([0, 1])[0].transpose(0, 1, 3, 4, 2).flags.c_contiguous
