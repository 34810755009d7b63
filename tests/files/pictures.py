"""Pictures for tests, with what cameras and attackers put into them."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

#: what must be in no file that is kept
SECRETS = (b"SECRET", b"Wuerzburg", b"Canon", b"Photoshop", b"Exif", b"XMP", b"xmp", b"<script")

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place>SECRET Wuerzburg</place></x:xmpmeta>'


def exif(orientation: int = 1) -> bytes:
    """Of a camera, with a place."""
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "Canon SECRET"
    made[0x8825] = {1: "N", 2: (49.0, 47.0, 30.0), 3: "E", 4: (9.0, 55.0, 45.0), 29: "SECRET"}
    return made.tobytes()


def drawn(width: int = 40, height: int = 30, mode: str = "RGB") -> Image.Image:
    """Red above left, blue below right: one sees which way is up."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2, height // 2), "red")
    draw.rectangle((width // 2, height // 2, width, height), "blue")
    return image.convert(mode)


def profile() -> bytes:
    """A colour profile that is not sRGB's by its name."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return made.tobytes()


def jpeg(image: Image.Image | None = None, orientation: int = 1, **options: object) -> bytes:
    """With everything: EXIF, place, XMP, comment, profile, and something behind the end."""
    written = io.BytesIO()
    options = {"quality": 83, "comment": b"SECRET comment", "xmp": XMP} | options
    (image or drawn()).save(written, "JPEG", exif=exif(orientation), **options)
    return written.getvalue() + b"PK\x03\x04 SECRET archive <script>alert(1)</script>"


def png(image: Image.Image | None = None, orientation: int = 1, **options: object) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "SECRET")
    info.add_text("Long", "SECRET" * 99, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    written = io.BytesIO()
    (image or drawn()).save(written, "PNG", pnginfo=info, exif=exif(orientation), **options)
    return written.getvalue() + b"PK\x03\x04 SECRET"


def webp(image: Image.Image | None = None, orientation: int = 1, **options: object) -> bytes:
    written = io.BytesIO()
    (image or drawn()).save(written, "WEBP", exif=exif(orientation), xmp=XMP, **options)
    return written.getvalue()


def gif(frames: int = 1, durations: list[int] | int = 100, **options: object) -> bytes:
    images = [drawn(40 + 0 * n, 30).rotate(37 * n) for n in range(frames)]
    written = io.BytesIO()
    options = {"comment": b"SECRET comment"} | options
    if frames > 1:
        options |= {"save_all": True, "append_images": images[1:], "duration": durations}
    images[0].save(written, "GIF", **options)
    return written.getvalue() + b"SECRET <script>alert(1)</script>"


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def png_of(
    *chunks: bytes, width: int = 8, height: int = 8, data: bytes | None = None, colour: int = 0
) -> bytes:
    """A PNG, grey by default, that says it is so big, with *chunks* in front of its *data*."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    if data is None:
        data = zlib.compress(b"\0" * ((width + 1) * height))
    ends = chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + ends


def gif_of(size: tuple[int, int], frames: list[tuple[int, int, int, int]]) -> bytes:
    """A GIF that says it has *size*; each of its frames is black: left, top, width, height."""
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"\x21\xf9\x04\x08\x0a\0\0\0"  # what it shows is taken away behind it
    drawn = [
        control + b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02\x02\x44\x01\0"
        for frame in frames
    ]
    return head + b"".join(drawn) + b";"
