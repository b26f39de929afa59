"""Inputs that were damaged or made up, always the same ones of the same seed.

`damaged_bytes` for files, `damaged_text` for names and texts, `damaged_value` for what JSON or YAML gives,
`damaged_json` for a JSON file.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

ODD_TEXTS = (
    "", " ", "\0", "\n", "\x1b[31mred\x1b[0m", "\u202etxt.exe", "\uff45\u0301\xdf", "\ud800", "\U0001f600" * 50,
    "a" * 300, "../../x", "/etc/passwd", "C:\\x", "~", "%20", "?", "#", "<img src=x onerror=alert(1)>", "=1+1", "@x",
    "](javascript:alert(1))", "-x", "`a`|b|", "null", "NaN", "1e999", "0x10", "1_000", "\u0661\u0662", "\xb2",
    "9" * 5000, "2026-01-01T00:00:00",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**18, 10**5000,
    0.5, -0.0, 1e-308, 1e308, float("nan"), float("inf"), float("-inf"), True, False,
)  # fmt: skip
TOKENS = (
    b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n\n", b"\r", b"\t", b",", b";", b'"', b"'", b"{", b"}",
    b"[]", b"null", b"NaN", b"Infinity", b"-1", b"1e999", b"99999999999999999999", b"9" * 5000, b"[" * 20_000,
    b'{"a":' * 5_000, b"\x1b[2J", "\u202e".encode(), "\u0661".encode(), "\U0001f600".encode(), b"../", b"%s%n",
    b"&a [*a]", b"!!python/name:os.system ",
)  # fmt: skip
WORDS = tuple(n.to_bytes(size, order) for size in (4, 8) for order in ("little", "big")
              for n in (0, 1, 2**31 - 1, 2**31, 2**32 - 1))  # fmt: skip

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def damaged_bytes(good: bytes | Sequence[bytes], rng: random.Random) -> bytes:
    """One of the good inputs with one to four things done to it."""
    seeds = [good] if isinstance(good, bytes) else list(good)
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(_MUTATIONS)(data, rng, seeds)
    return data


def damaged_text(good: str | Sequence[str], rng: random.Random) -> str:
    """A text near one of the good ones, or an odd one; may hold lone surrogates."""
    if rng.random() < 0.3:
        return rng.choice(ODD_TEXTS)
    texts = [good] if isinstance(good, str) else list(good)
    data = damaged_bytes([text.encode("utf-8", "surrogatepass") for text in texts], rng)
    return data.decode("utf-8", "surrogateescape")


def damaged_value(good: Any, rng: random.Random) -> Any:
    """A copy of a value of dicts, lists and scalars with one to three places changed; the value itself stays."""
    value = _copy(good)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _change(value, rng)
    return value


def damaged_json(good: Any, rng: random.Random, **form: Any) -> bytes:
    """A JSON file of a value: the value changed, its bytes damaged, or both; `form` is passed to `json.dumps`."""
    how = rng.random()
    data = json_bytes(damaged_value(good, rng) if how < 0.7 else good, **form)
    return data if how < 0.5 else damaged_bytes(data, rng)


def json_bytes(value: Any, **form: Any) -> bytes:
    """JSON of any value, also of numbers with more digits than Python writes by itself."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value, **form).encode()
    finally:
        sys.set_int_max_str_digits(limit)


def _flip(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _i in range(rng.choice((1, 1, 2, 8, 32)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return rng.choice((data[:at], data[at:]))


def _block(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 4, 16, 64, 512, 4096)))


def _zero(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _block(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def _drop(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _block(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _block(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def _insert(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    piece = rng.choice((rng.choice(TOKENS), rng.randbytes(rng.choice((1, 8, 100)))))
    return data[:at] + piece + data[at:]


def _overwrite(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    piece = rng.choice(WORDS)
    at = rng.randint(0, max(0, len(data) - len(piece)))
    return data[:at] + piece + data[at + len(piece) :]


def _number(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    places = list(re.finditer(rb"\d+", data[:200_000]))
    if not places:
        return data
    place = rng.choice(places)
    new = rng.choice(
        (b"", b"-1", b"0", b"1.5", b"1e9", b"NaN", b"9" * 20, b"9" * 5000, str(rng.getrandbits(32)).encode())
    )
    return data[: place.start()] + new + data[place.end() :]


def _splice(data: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _swap(data: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    a, b, c = sorted(rng.randint(0, len(data)) for _i in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip, _cut, _zero, _drop, _repeat, _insert, _insert, _overwrite, _number, _number, _splice, _swap,
)  # fmt: skip


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _change(value: Any, rng: random.Random) -> Any:
    """The value with one place changed: here, or further down."""
    inside = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inside or rng.random() < 0.15:
        return _other(value, rng)
    where = rng.choice(inside)
    how = rng.random()
    if how < 0.12:
        del value[where]
    elif how < 0.22 and isinstance(value, dict):
        value[rng.choice((rng.choice(ODD_TEXTS), str(where) * 2, str(where).upper()))] = value.pop(where)
    elif how < 0.22:
        value.insert(where, rng.choice((value[where], _other(value[where], rng))))
    else:
        value[where] = _change(value[where], rng)
    return value


def _other(value: Any, rng: random.Random) -> Any:
    """Something else than the value: often of its type, often not."""
    how = rng.random()
    if how < 0.3 and isinstance(value, str):
        return damaged_text(value, rng)
    if how < 0.3 and isinstance(value, int | float):
        small = abs(value) < 2**53
        near = [value + 1, value - 1, -value, value * 10]
        return rng.choice([*near, value / 2, str(value)] if small else near)
    if how < 0.4:
        return _nested(value, rng)
    return rng.choice((rng.choice(ODD_NUMBERS), rng.choice(ODD_TEXTS), None, [], {}, [value], {"a": value}, [None] * 3))


def _nested(value: Any, rng: random.Random) -> Any:
    for _ in range(rng.choice((2, 30, 300))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value
