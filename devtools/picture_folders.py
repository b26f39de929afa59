"""Clips as published code stores them, a folder of 224 x 224 JPEGs each, and the data set of such code.

`shard_folders` writes the same pictures as this project's shards, so that benches compare the two ways to load them.
Keep out: clocks and figures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from devtools.shard_files import write_shards
from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.synthetic.jobs import plan, render_clip
from nrdfer.data.sampling import sample_indices
from nrdfer.data.settings import AugmentSettings
from nrdfer.shards.reader import ShardReader
from nrdfer.video.decode import iter_frames
from nrdfer.video.discovery import list_sources
from nrdfer.video.jpeg import decode_jpeg, encode_jpeg

SOURCE, SIDE, QUALITY = 224, 112, 95


def render_pictures(out: Path, count: int, frames: int) -> list[Path]:
    """Rendered faces as DFEW has them: a folder of pictures a clip."""
    settings = CorpusSettings(identities=-(-count // 35) * 5, frames=(frames, frames), jpeg_quality=QUALITY)
    jobs = [job for job in plan(settings) if job.corpus == "DFEW"][:count]
    for job in jobs:
        render_clip(job, settings, out)
    return [out / job.path for job in jobs]


def cut_pictures(videos: Path, out: Path, count: int, frames: int) -> list[Path]:
    """The middle square of real videos, cut into clips, as folders of pictures."""
    folders: list[Path] = []
    for source in list_sources([videos]):
        for number, frame in enumerate(iter_frames(source.path)):
            if number % frames == 0:
                if len(folders) == count:
                    return folders
                folders.append(out / f"{len(folders):05d}")
                folders[-1].mkdir(parents=True)
            height, width = frame.shape[:2]
            side = min(height, width)
            square = frame[(height - side) // 2 :, (width - side) // 2 :][:side, :side]
            picture = np.asarray(cv2.resize(square, (SOURCE, SOURCE), interpolation=cv2.INTER_AREA), np.uint8)
            (folders[-1] / f"{number % frames:05d}.jpg").write_bytes(encode_jpeg(picture, QUALITY))
    return folders


def shard_folders(folders: Sequence[Path], out: Path) -> ShardReader:
    """The same pictures as the project keeps them (`nrdfer.preprocessing.shards`)."""

    def clips() -> Iterator[tuple[ClipRecord, NDArray[np.uint8]]]:
        for number, folder in enumerate(folders):
            pictures = [decode_jpeg(path.read_bytes()) for path in sorted(folder.glob("*.jpg"))]
            resized = np.stack([cv2.resize(p, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for p in pictures])
            emotion = EMOTIONS[number % len(EMOTIONS)]
            yield ClipRecord("bench", f"{number:05d}", emotion, "", len(pictures), ""), np.asarray(resized, np.uint8)

    write_shards(clips(), out, prefix="b", clips_per_shard=32, jpeg_quality=QUALITY)
    return ShardReader(out)


class PictureFolders:
    """The usual data set: every picture is opened and changed on its own.

    Random changes are torchvision's (RandomResizedCrop, RandomHorizontalFlip, RandomRotation, ColorJitter), in PIL.
    """

    def __init__(self, folders: Sequence[Path], settings: AugmentSettings | None) -> None:
        self.clips = [sorted(str(path) for path in folder.glob("*.jpg")) for folder in folders]
        self.settings, self.random, self.rng = settings, random.Random(0), np.random.default_rng(0)

    def __getitem__(self, number: int) -> torch.Tensor:
        """One clip (T, 3, S, S), values 0 to 1."""
        paths = self.clips[number]
        indices = sample_indices(len(paths), rng=None if self.settings is None else self.rng)
        pictures = [Image.open(paths[i]).convert("RGB") for i in indices]
        change = resize if self.settings is None else self.draw(self.settings, *pictures[0].size)
        stacked = np.stack([np.asarray(change(picture)) for picture in pictures])
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous().float().div(255)

    def draw(self, settings: AugmentSettings, width: int, height: int) -> Callable[[Image.Image], Image.Image]:
        """One change for all pictures of a clip."""
        between = self.random.uniform
        left, top, w, h = 0, 0, width, height
        for _ in range(10):
            area = width * height * between(*settings.area)
            ratio = math.exp(between(*(math.log(end) for end in settings.ratio)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if w <= width and h <= height:
                left, top = self.random.randint(0, width - w), self.random.randint(0, height - h)
                break
        else:
            w, h = width, height
        flip = self.random.random() < settings.flip
        angle = between(-settings.rotation, settings.rotation)
        brightness = between(max(0.0, 1 - settings.brightness), 1 + settings.brightness)

        def change(picture: Image.Image) -> Image.Image:
            picture = resize(picture.crop((left, top, left + w, top + h)))
            if flip:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            picture = picture.rotate(angle, Image.Resampling.NEAREST)
            return ImageEnhance.Brightness(picture).enhance(brightness)

        return change


def resize(picture: Image.Image) -> Image.Image:
    """The picture at the network's size."""
    return picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
