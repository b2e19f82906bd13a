"""Covers wire/png.py: what is drawn is read back, and foreign, cut or huge files are refused."""

import random
import struct
import tracemalloc
import zlib

import pytest

from llm_canaries.wire.nonce import digits
from llm_canaries.wire.png import SIDE, PngError, draw_number, read_number, size


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, color: int = 0, depth: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_drawn_numbers_are_read_back() -> None:
    draw = random.Random(7).randrange
    numbers = [digits(draw, 4 + at % 3) for at in range(200)]
    for number in numbers:
        picture = draw_number(number, draw)
        assert read_number(picture) == number
        assert size(picture) == (SIDE, SIDE)
        assert 5_000 <= len(picture) <= 12_000


@pytest.mark.parametrize("number", ["1", "11", "777", "1111", "888888", "101010", "000000", "123456", "7890"])
def test_narrow_and_wide_digits(number: str) -> None:
    assert read_number(draw_number(number, random.Random(1).randrange)) == number


def test_the_same_draw_gives_the_same_bytes() -> None:
    first, again, other = (draw_number("4821", random.Random(seed).randrange) for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a" + bytes(60), id="GIF"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="signature alone"),
        pytest.param(png(1, 1, b"\0\0\0\0", color=2), id="RGB"),
        pytest.param(png(1, 1, b"\0\0", depth=1), id="one bit"),
        pytest.param(png(0, 5, b""), id="no pixels"),
        pytest.param(png(2, 2, b"\1\0\0\1\0\0"), id="filtered rows"),
        pytest.param(png(2, 2, b"\0\0\0"), id="too few rows"),
        pytest.param(png(1, 1, b"\0\0").replace(b"IDAT", b"IDXX"), id="wrong checksum"),
    ],
)
def test_foreign_files_are_refused(picture: bytes) -> None:
    with pytest.raises(PngError):
        read_number(picture)


def test_every_cut_and_every_flipped_byte_is_refused() -> None:
    picture = draw_number("4821", random.Random(5).randrange)
    for end in range(0, len(picture), 97):
        with pytest.raises(PngError):
            read_number(picture[:end])
    with pytest.raises(PngError):
        read_number(picture[:-1])
    for at in range(8, len(picture), 211):
        with pytest.raises(PngError):
            read_number(picture[:at] + bytes([picture[at] ^ 0x55]) + picture[at + 1 :])


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (2**31, 1), (4_000_001, 1)])
def test_a_huge_claim_is_refused_without_memory(width: int, height: int) -> None:
    bomb = png(width, height, bytes(1_000_000))
    tracemalloc.start()
    with pytest.raises(PngError):
        read_number(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_bomb_unpacks_no_further_than_its_header_says() -> None:
    bomb = png(10, 10, bytes(50_000_000))
    tracemalloc.start()
    assert read_number(bomb) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("width", [1, 4, 10, 29, 30, 31, 36, 60, 224, 300])
@pytest.mark.parametrize("height", [42, 50])
@pytest.mark.parametrize("shade", [0, 255])
def test_a_picture_without_digits_shows_none(width: int, height: int, shade: int) -> None:
    assert read_number(png(width, height, (b"\0" + bytes([shade]) * width) * height)) is None


def test_one_grey_pixel_shows_none() -> None:
    assert read_number(png(1, 1, b"\0\x80")) is None
