"""Pictures from outside: whole, or refused in words. Decoders conceal what is missing, so each kind is tried."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from nrdfer.core.errors import UnreadablePictureError
from nrdfer.corpora.picture_file import MOST_PIXELS, read_picture

Picture = NDArray[np.uint8]


def drawn(height: int = 112, width: int = 96) -> Picture:
    """A smooth picture with detail, as a face's."""
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return np.asarray(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def encoded(suffix: str, *settings: int, picture: NDArray[np.generic] | None = None) -> bytes:
    return bytes(cv2.imencode(suffix, drawn() if picture is None else picture, settings)[1])


WAYS = {
    "jpeg": encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, 95),
    "optimised": encoded(".jpg", cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "progressive": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encoded(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "png": encoded(".png"),
}


def look(tmp_path: Path, data: bytes) -> Picture:
    path = tmp_path / "a picture.jpg"  # the content says what it is, not the name
    path.write_bytes(data)
    return read_picture(path)


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_cut_short_anywhere_is_refused_and_not_made_grey(tmp_path: Path, way: str) -> None:
    whole = WAYS[way]
    for kept in (1, 3, 20, 700, len(whole) // 3, len(whole) * 9 // 10, len(whole) - 2):
        with pytest.raises(UnreadablePictureError, match=r"unreadable picture .*a picture\.jpg: it .+; copy or unpack"):
            look(tmp_path, whole[:kept])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("zeros", [64, 512, 4096])
def test_a_picture_with_zeroed_blocks_is_refused_or_looks_as_it_did(tmp_path: Path, way: str, zeros: int) -> None:
    whole = WAYS[way]
    right = look(tmp_path, whole).astype(int)
    refused = 0
    for start in np.linspace(700, len(whole) - 3, 20).astype(int):
        data = bytearray(whole)
        data[start : start + zeros] = bytes(len(data[start : start + zeros]))
        try:
            picture = look(tmp_path, bytes(data))
        except UnreadablePictureError:
            refused += 1
        else:
            assert (np.abs(picture - right) > 40).mean() < 0.01, start
    assert refused >= 15


def test_a_picture_whose_tail_is_zeros_is_refused(tmp_path: Path) -> None:
    for whole in WAYS.values():
        with pytest.raises(UnreadablePictureError):
            look(tmp_path, whole[: len(whole) * 3 // 4] + bytes(len(whole) // 4))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it is empty"),
        (bytes(5000), "holds zeros only"),
        (b"<html>sign in</html>", "neither a JPEG, a PNG nor a BMP"),
        (b"\xff\xd8\xff\xd9", "has no picture in it"),
        (b"BM" + bytes(8), "a BMP's header is missing"),
        (encoded(".bmp")[:-100], "is damaged"),
        (bomb(60_000, 60_000), "claims to have 60000 x 60000 pixels"),
        (bomb(0, 4), "has no pixels"),
        (with_size(WAYS["jpeg"], 65_500, 65_500), "claims to have 65500 x 65500 pixels"),
        (with_size(WAYS["jpeg"], 0, 10), "has no pixels"),
        (encoded(".bmp")[:18] + struct.pack("<ii", 2**30, -(2**30)) + encoded(".bmp")[26:], "claims to have"),
        (WAYS["png"][:29] + bytes([WAYS["png"][29] ^ 1]) + WAYS["png"][30:], "checksum of its part IHDR"),
        (WAYS["png"][:300] + bytes([WAYS["png"][300] ^ 1]) + WAYS["png"][301:], "checksum of its part IDAT"),
    ],
)
def test_what_is_no_whole_picture_is_told_in_words(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(UnreadablePictureError, match=told):
        look(tmp_path, data)


def test_the_largest_picture_that_is_read_fits_into_memory() -> None:
    assert MOST_PIXELS * 3 * 4 < 1 << 30


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (encoded(".png", picture=drawn().astype(np.uint16) * 257), drawn()),
        (encoded(".png", picture=drawn()[..., 0]), np.repeat(drawn()[..., :1], 3, axis=2)),
        (encoded(".png", picture=np.dstack([drawn(), drawn()[..., 0]])), drawn()),
        (encoded(".bmp"), drawn()),
        (with_orientation(WAYS["jpeg"], 6), np.rot90(drawn(), -1)),
        (with_orientation(WAYS["jpeg"], 3), drawn()[::-1, ::-1]),
        (WAYS["jpeg"] + b"what a camera adds behind the end", drawn()),
        (WAYS["jpeg"][:-2] + bytes(9) + WAYS["jpeg"][-2:], drawn()),  # filled up before the end, as some cameras do
    ],
    ids=["16 bits", "grey", "with alpha", "bmp", "turned by 90", "turned by 180", "trailer", "filled up"],
)
def test_unusual_but_whole_pictures_are_read_as_they_are_shown(tmp_path: Path, data: bytes, right: Picture) -> None:
    picture = look(tmp_path, data)
    assert picture.shape == right.shape
    assert np.abs(picture.astype(int) - right).mean() < 3


def test_a_picture_in_printers_colours_is_read_as_it_is_shown(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "cmyk.jpg"
    image.fromarray(drawn()[..., ::-1].copy()).convert("CMYK").save(path, quality=95)
    assert np.abs(read_picture(path).astype(int) - drawn()).mean() < 6


@pytest.mark.parametrize("settings", [(), (cv2.IMWRITE_JPEG_OPTIMIZE, 1), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_flat_pictures_whose_codes_are_zeros_are_whole(tmp_path: Path, settings: tuple[int, ...]) -> None:
    framed = cv2.copyMakeBorder(drawn(), 100, 100, 100, 100, cv2.BORDER_CONSTANT)
    for picture in (framed, np.zeros_like(framed), np.full_like(framed, 255), np.full_like(framed, 128)):
        for quality in (10, 75, 95, 100):
            data = encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, quality, *settings, picture=picture)
            assert look(tmp_path, data).shape == picture.shape


@pytest.mark.parametrize("way", WAYS)
def test_whole_pictures_are_what_they_were(tmp_path: Path, way: str) -> None:
    assert np.array_equal(look(tmp_path, WAYS[way]), cv2.imdecode(np.frombuffer(WAYS[way], np.uint8), cv2.IMREAD_COLOR))


def test_a_picture_whose_name_is_no_text_is_read_and_named(tmp_path: Path) -> None:
    path = Path(str(tmp_path / "Stra\udcdfe.jpg"))
    path.write_bytes(WAYS["jpeg"])
    assert read_picture(path).shape == (112, 96, 3)
    path.write_bytes(WAYS["jpeg"][:-5])
    with pytest.raises(UnreadablePictureError, match=r"Stra\\xdfe\.jpg") as caught:
        read_picture(path)
    str(caught.value).encode()


def test_what_else_is_written_to_the_standard_error_stays_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    look(tmp_path, WAYS["jpeg"])
    print("afterwards", file=sys.stderr)
    assert capfd.readouterr().err == "afterwards\n"
