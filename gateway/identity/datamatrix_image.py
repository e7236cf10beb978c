"""The INS Datamatrix as an image: read from a photo or a scan, drawn as PNG or SVG.

Reading pictures needs Pillow (`pip install "kine-gateway[image]"`); drawing needs nothing more than the gateway has.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib

from gateway.errors import ConfigError
from gateway.identity.datamatrix import Modules

MAX_IMAGE = 30 * 1024 * 1024
"""Bytes of an image file; a page at 600 dots an inch in grey has less."""
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "WEBP")
"""What a scanner, a camera or a screen writes. Pillow knows more, and would start Ghostscript for one of them (EPS)."""
QUIET = 2
"""White modules around the symbol; ISO/IEC 16022 asks for one at least."""


def texts(image: bytes) -> list[str]:
    """Text of every Data Matrix in a picture (PNG, JPEG, TIFF...), as a scanner would deliver it.

    Raises ConfigError: `DMX-021` Pillow is not installed, `DMX-022` no picture that can be opened.
    """
    import zxingcpp

    try:
        from PIL import Image
    except ImportError as fault:
        advice = 'pip install "kine-gateway[image]", ou scanner le code et donner son texte.'
        raise ConfigError(
            "DMX-021", "La lecture d'une image demande Pillow, qui n'est pas installé.", advice
        ) from fault
    try:
        if len(image) > MAX_IMAGE:
            raise ValueError("too large")
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a picture that swells when opened is refused, not opened with a warning
            picture = Image.open(io.BytesIO(image), formats=FORMATS).convert("L")
    except Exception as fault:  # Pillow raises many kinds on a damaged file
        advice = "Donner une image PNG, JPEG ou TIFF du code, nette et droite."
        raise ConfigError("DMX-022", "Image illisible.", advice) from fault
    width, height = picture.size
    pixels = picture.tobytes()  # named: the view below does not keep it alive
    view = zxingcpp.ImageView(pixels, width, height, zxingcpp.ImageFormat.Lum)
    found = zxingcpp.read_barcodes(view, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix))
    return [symbol.bytes.decode("latin-1") for symbol in found]


def png(symbol: Modules, scale: int = 8) -> bytes:
    """A black and white PNG, `scale` pixels a module, quiet zone included."""
    size = (len(symbol) + 2 * QUIET) * scale
    rows = bytearray()
    for line in _with_quiet_zone(symbol):
        bits = "".join("0" * scale if dark else "1" * scale for dark in line)
        packed = int(bits.ljust(-(-size // 8) * 8, "0"), 2).to_bytes(-(-size // 8))
        rows += (b"\x00" + packed) * scale
    header = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)  # one bit of grey
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def svg(symbol: Modules) -> str:
    """An SVG, one unit a module, quiet zone included."""
    side = len(symbol) + 2 * QUIET
    runs = [f"M{x + QUIET} {y + QUIET}h1v1h-1z" for y, row in enumerate(symbol) for x, dark in enumerate(row) if dark]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{"".join(runs)}"/></svg>\n'
    )


def _with_quiet_zone(symbol: Modules) -> list[tuple[bool, ...]]:
    side = len(symbol) + 2 * QUIET
    blank = (False,) * side
    edge = (False,) * QUIET
    return [*[blank] * QUIET, *(edge + row + edge for row in symbol), *[blank] * QUIET]
