"""Fourteen rendered clips, two of each emotion, for tests in which networks learn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.synthetic.jobs import plan, render_clip
from nrdfer.data.in_memory import MemorySource


@pytest.fixture(scope="session")
def sample_clips(tmp_path_factory: pytest.TempPathFactory) -> MemorySource:
    """Clips of the sample corpus as DFEW distributes them: pictures of 224 x 224 pixels."""
    root, settings = tmp_path_factory.mktemp("clips"), CorpusSettings()
    jobs = [job for job in plan(settings) if job.corpus == "DFEW"]
    clips = []
    for emotion in EMOTIONS:
        for job in [job for job in jobs if job.emotion == emotion][:2]:
            render_clip(job, settings, root)
            folder = next(path for path in Path(root).rglob(job.clip_id) if path.is_dir())
            frames = np.stack([cv2.imread(str(path))[..., ::-1] for path in sorted(folder.glob("*.jpg"))])
            clips.append((ClipRecord("dfew", job.clip_id, emotion, "", len(frames), "0" * 64), frames))
    return MemorySource(clips)
