"""Aligning videos in several processes, such that not even a process that dies stops the corpus.

Processes are spawned, not forked: torch does not survive a fork. What is done to one video is
`nrdfer.preprocess`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import cv2
import torch

from nrdfer.faces.detector import FaceDetector
from nrdfer.preprocess import AlignSettings, ClipSummary, preprocess_one, summary_of
from nrdfer.video.sources import Source

_state: dict[str, FaceDetector] = {}  # filled once in each worker process


def _start(detector: FaceDetector) -> None:
    # one core for each process: threads of several pools would only wait for each other
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _state["detector"] = detector


def _work(source: Source, settings: AlignSettings, out: Path) -> ClipSummary:
    return preprocess_one(source, _state["detector"], settings, out)


def run_in_processes(
    sources: Sequence[Source], detector: FaceDetector, settings: AlignSettings, out: Path, workers: int
) -> Iterator[tuple[int, ClipSummary]]:
    """Yield (position, summary) as videos are finished.

    A worker that is killed (out of memory, a crash inside a decoder) takes the whole pool down. The videos
    then left are tried one by one in a process of their own; the one that dies alone is "unreadable".
    """
    left: list[int] = []
    # the longest first, so that no worker ends up alone with a long one
    order = sorted(range(len(sources)), key=lambda index: -sources[index].path.stat().st_size)
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (detector,)) as pool:
        futures: dict[Future[ClipSummary], int] = {}
        for index in order:
            try:
                futures[pool.submit(_work, sources[index], settings, out)] = index
            except BrokenProcessPool:
                left.append(index)
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                left.append(futures[future])
    for index in sorted(left):
        yield index, _alone(sources[index], detector, settings, out)


def _alone(source: Source, detector: FaceDetector, settings: AlignSettings, out: Path) -> ClipSummary:
    with ProcessPoolExecutor(1, get_context("spawn"), _start, (detector,)) as pool:
        try:
            return pool.submit(_work, source, settings, out).result()
        except BrokenProcessPool:
            reason = (
                "the process working on it died (out of memory, or a crash in a decoder); try it with more "
                "memory, or convert the video"
            )
            return summary_of(source, (), "unreadable", reason)
