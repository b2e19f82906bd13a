"""Numbers as PNG images, and back: large dark digits on a light ground with seeded grey noise.

The noise makes the file a few kilobytes, so that an image billed as text shows in the token count
(protocols.md D3). The reader is the mirror's eye: it decodes any 8-bit grey PNG and matches glyphs.
"""

import struct
import zlib

from llm_canaries.wire.nonce import Draw

SIDE = 224
_SCALE = 6
_GLYPHS = {
    "0": ("01110", "10001", "10011", "10101", "11001", "10001", "01110"),
    "1": ("00100", "01100", "00100", "00100", "00100", "00100", "01110"),
    "2": ("01110", "10001", "00001", "00010", "00100", "01000", "11111"),
    "3": ("11111", "00010", "00100", "00010", "00001", "10001", "01110"),
    "4": ("00010", "00110", "01010", "10010", "11111", "00010", "00010"),
    "5": ("11111", "10000", "11110", "00001", "00001", "10001", "01110"),
    "6": ("00110", "01000", "10000", "11110", "10001", "10001", "01110"),
    "7": ("11111", "00001", "00010", "00100", "01000", "01000", "01000"),
    "8": ("01110", "10001", "10001", "01110", "10001", "10001", "01110"),
    "9": ("01110", "10001", "10001", "01111", "00001", "00010", "01100"),
}
_CELL = 6 * _SCALE  # a glyph is five columns and one of space
_HEIGHT = 7 * _SCALE
_LIGHT = bytes(240 + 2 * (grain & 1) for grain in range(256))
_DARK = bytes(16 + 2 * (grain & 1) for grain in range(256))
_INK = bytes(grey < 128 for grey in range(256))  # 1 where a pixel is dark
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_PIXELS = 4_000_000


class PngError(ValueError):
    """Bytes that are not a PNG this reader knows."""


def draw_number(number: str, draw: Draw) -> bytes:
    """A 224×224 8-bit grey PNG that shows `number` (up to 6 digits), about 11 kB."""
    left, top = (SIDE - len(number) * _CELL + _SCALE) // 2, (SIDE - _HEIGHT) // 2
    noise = _noise(draw)
    rows = bytearray()
    for y in range(SIDE):
        grain = noise[y * SIDE : (y + 1) * SIDE]
        row, dark = bytearray(grain.translate(_LIGHT)), grain.translate(_DARK)
        for start in _ink(number, y - top):
            at = slice(left + start, left + start + _SCALE)
            row[at] = dark[at]
        rows += b"\0" + row
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(rows), 2)) + _chunk(b"IEND", b"")


def read_number(png: bytes) -> str | None:
    """The digits that a PNG of `draw_number` shows, None when it shows none. Raises PngError for other bytes."""
    width, height, pixels = _decode(png)
    inked = pixels.translate(_INK)
    dark = [inked[y * width : (y + 1) * width] for y in range(height)]
    lines = [y for y, row in enumerate(dark) if 1 in row]
    columns = [x for x in range(width) if any(dark[y][x] for y in lines)]
    if not columns or lines[-1] - lines[0] + 1 != _HEIGHT:
        return None
    found = [_read_glyph(dark, left, lines[0]) for left in _glyph_lefts(dark, columns, lines[0])]
    return "".join(found) if found and all(found) else None


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises PngError."""
    if len(png) < 33 or not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR":
        raise PngError("not a PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _noise(draw: Draw) -> bytes:
    """A character `0` or `1` for every pixel: one draw, the same for the same draw."""
    return f"{draw(1 << SIDE * SIDE):0{SIDE * SIDE}b}".encode()


def _ink(number: str, y: int) -> list[int]:
    """Where the squares of ink begin in line `y` of the digits."""
    if not 0 <= y < _HEIGHT:
        return []
    lines = [_GLYPHS[digit][y // _SCALE] for digit in number]
    return [
        at * _CELL + column * _SCALE for at, line in enumerate(lines) for column in range(5) if line[column] == "1"
    ]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _decode(png: bytes) -> tuple[int, int, bytes]:
    width, height = size(png)
    if png[24:29] != b"\x08\0\0\0\0" or not 0 < width * height <= _MOST_PIXELS:
        raise PngError("not a plain 8-bit grey PNG of moderate size")
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(_pixel_data(png), (width + 1) * height)
    except zlib.error as error:
        raise PngError(f"broken pixel data: {error}") from None
    rows = [raw[y * (width + 1) : (y + 1) * (width + 1)] for y in range(height)]
    if any(len(row) != width + 1 or row[0] for row in rows):
        raise PngError("cut short, or filtered rows")
    return width, height, b"".join(row[1:] for row in rows)


def _pixel_data(png: bytes) -> bytes:
    """The IDAT chunks, joined; every chunk is whole and its checksum right, up to IEND."""
    data, at = bytearray(), len(_SIGNATURE)
    while True:
        length = int.from_bytes(png[at : at + 4], "big")
        kind, body, check = png[at + 4 : at + 8], png[at + 8 : at + 8 + length], png[at + 8 + length : at + 12 + length]
        if check != struct.pack(">I", zlib.crc32(kind + body)):
            raise PngError("cut short, or a chunk with a wrong checksum")
        if kind == b"IEND":
            return bytes(data)
        data += body if kind == b"IDAT" else b""
        at += length + 12


def _glyph_lefts(dark: list[bytes], columns: list[int], top: int) -> list[int]:
    """Where each glyph's cell begins: cells lie a fixed step apart, and the picture is centred."""
    width = len(dark[0])
    middle = width / 2
    for count in range(1, 7):
        left = (width - count * _CELL + _SCALE) // 2
        held = 0 <= left <= columns[0] and columns[-1] < left + count * _CELL <= width + _SCALE
        if held and abs(left + count * _CELL / 2 - middle) <= _SCALE:
            lefts = [left + i * _CELL for i in range(count)]
            if all(_read_glyph(dark, at, top) for at in lefts):
                return lefts
    return []


def _read_glyph(dark: list[bytes], left: int, top: int) -> str:
    half = _SCALE // 2
    seen = tuple(
        "".join("1" if dark[top + row * _SCALE + half][left + column * _SCALE + half] else "0" for column in range(5))
        for row in range(7)
    )
    return next((digit for digit, glyph in _GLYPHS.items() if glyph == seen), "")
