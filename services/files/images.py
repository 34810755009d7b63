"""Images that participants send, made anew. The only file that knows Pillow.

Rules of this file:

1. What is kept is what was drawn: a picture is decoded and written again. So nothing else that
   was in the file is kept: no place, no camera, no comment, no text, no archive behind its end.
2. How many pixels there are, and how often they are drawn, is looked at before any of them is
   decoded.
3. Whatever Pillow raises is the fault of the image.

A picture of 40 million pixels takes some hundreds of MB and some seconds of a core while it is
made anew, so `Files.finish_in_turn` makes a few at once.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, cast

from PIL import (
    GifImagePlugin,
    Image,
    ImageChops,
    ImageCms,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    features,
)

from . import bombs
from .errors import Rejected

MAX_PIXELS = 40_000_000  # of one picture: more than phones take by themselves
MAX_MOVING_PIXELS = 120_000_000  # of all frames of an animation
MAX_FRAMES = 2000

#: how much larger an image made anew may be than what was sent; and bytes that it may have anyway.
#: Its sender's bound (`bounds.FILES_OF_ONE`) counts what was sent
MAX_GROWTH = 4
SMALL = 262_144

THUMB = 480  # pixels of the longer side
THUMB_TYPE = "image/webp"

#: what Pillow calls the types that are taken
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}

#: who opens them; to import these lets Pillow look for no others
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)

_ORIENTATION = 0x0112
_HEAD = 64  # bytes in which a WebP says how it is compressed

_UNREADABLE = "the image cannot be read"


@dataclass(frozen=True)
class Picture:
    """An image that is kept. Its content is to be closed."""

    content: BinaryIO
    #: bytes
    size: int
    width: int
    height: int
    #: a WebP
    thumb: bytes


class Frame(NamedTuple):
    """One picture of an animation."""

    #: ms
    duration: int
    #: something that the frame before it shows is transparent in it
    vanishes: bool


def missing_decoders() -> list[str]:
    """The formats that this Pillow cannot read and write."""
    wanted = {"JPEG": "jpg", "PNG": "zlib", "WEBP": "webp"}
    return [name for name, feature in wanted.items() if not features.check(feature)]


def clean(content: BinaryIO, mime: str) -> Picture:
    """The image in *content* made anew. Raises `Rejected`."""
    spool = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # the caller closes it
    try:
        content.seek(0)
        picture = _made(content, FORMATS[mime], spool)
    except Rejected:
        spool.close()
        raise
    except Exception:
        spool.close()
        raise Rejected("image", _UNREADABLE) from None
    return picture


def _made(content: BinaryIO, kind: str, spool: BinaryIO) -> Picture:
    pixels = _pixels(content, kind)
    sent = content.seek(0, os.SEEK_END)
    content.seek(0)
    with Image.open(content, formats=(kind,)) as image:
        pixels = max(pixels, image.width * image.height)
        _check_pixels(pixels)
        frames = _frames(image, pixels) if kind in ("GIF", "WEBP") else []
        if len(frames) > 1:
            image.seek(0)
            _write_animation(image, kind, frames, spool)
            image.seek(0)
            shown: Image.Image = image
        else:
            image.seek(0)
            shown = _write_still(image, kind, content, spool)
        thumb = _thumb(shown)
        spool.flush()
        size = spool.seek(0, os.SEEK_END)
        if size > max(SMALL, sent * MAX_GROWTH):
            raise Rejected("image", "the image would have too many bytes once it is made anew")
        return Picture(spool, size, shown.width, shown.height, thumb)


def _pixels(content: BinaryIO, kind: str) -> int:
    """How many pixels an image has at least, by what its parts say. Raises `Rejected`."""
    if kind == "JPEG":
        bombs.check_jpeg(content)
    if kind != "GIF":
        return 0
    width, height = bombs.canvas_of(content)
    _check_pixels(width * height)
    return width * height


def _check_pixels(count: int) -> None:
    if count > MAX_PIXELS:
        raise Rejected("image", f"an image has at most {MAX_PIXELS // 1_000_000} megapixels")


def _frames(image: Image.Image, pixels: int) -> list[Frame]:
    """What there is to know of each frame; all of them are decoded. Raises `Rejected`.

    *pixels*: of the largest one.
    """
    found: list[Frame] = []
    most = min(MAX_FRAMES, MAX_MOVING_PIXELS // max(1, pixels))
    alpha: Image.Image | None = None
    while True:
        try:
            image.seek(len(found))
        except EOFError:
            return found
        if len(found) >= max(1, most):
            raise Rejected("image", "the animation has too many frames")
        image.load()
        alpha, before = _alpha(image), alpha
        vanishes = before is not None and ImageChops.subtract(before, alpha).getbbox() is not None
        found.append(Frame(int(image.info.get("duration", 0)), vanishes))


def _alpha(image: Image.Image) -> Image.Image:
    """How opaque each pixel is."""
    if not _has_alpha(image):
        return Image.new("L", image.size, 255)
    return image.convert("RGBA").getchannel("A")


# ---- one picture -------------------------------------------------------------


def _write_still(image: Image.Image, kind: str, source: BinaryIO, spool: BinaryIO) -> Image.Image:
    """Write it upright and without anything else into *spool*; returns what was written."""
    is_upright = image.getexif().get(_ORIENTATION, 1) == 1
    image.load()
    profile = image.info.get("icc_profile")
    made = image if is_upright else ImageOps.exif_transpose(image)
    made = _in_srgb(made, profile)
    kept = {"transparency", "progressive", "progression"} if kind == "JPEG" else {"transparency"}
    made.info = {name: value for name, value in made.info.items() if name in kept}
    write: dict[str, Callable[[], None]] = {
        "JPEG": lambda: _write_jpeg(made, image, spool),
        "PNG": lambda: made.save(spool, "PNG", pnginfo=None),
        "GIF": lambda: made.save(spool, "GIF"),
        "WEBP": lambda: made.save(spool, "WEBP", **_webp_options(source)),
    }
    write[kind]()
    return made


def _write_jpeg(made: Image.Image, image: Image.Image, spool: BinaryIO) -> None:
    """With the quality that it had, where that can be said."""
    if made is image and image.format == "JPEG" and image.mode in ("L", "RGB"):
        image.save(spool, "JPEG", quality="keep")
        return
    if made.mode not in ("L", "RGB"):
        made = made.convert("RGB")
    options: dict[str, Any] = {"quality": 90}
    tables = getattr(image, "quantization", None)
    if tables and all(0 < value < 256 for table in tables.values() for value in table):
        options = {"qtables": tables}
    sampling = JpegImagePlugin.get_sampling(image)
    if sampling >= 0:
        options["subsampling"] = sampling
    made.save(spool, "JPEG", **options)


def _webp_options(source: BinaryIO) -> dict[str, Any]:
    source.seek(0)
    is_lossless = b"VP8L" in source.read(_HEAD)
    return {"lossless": True, "method": 1} if is_lossless else {"quality": 85, "method": 2}


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """*image* in the colours that are meant where nothing is said of them."""
    if image.mode == "CMYK" and not profile:
        return image.convert("RGB")
    if not profile:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(given):
            return image
        if image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        wanted = ImageCms.createProfile("sRGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        made = ImageCms.profileToProfile(image, given, wanted, outputMode=mode)
    except (
        ImageCms.PyCMSError,
        ValueError,
        OSError,
    ):  # of other colours, or none
        return image.convert("RGB") if image.mode == "CMYK" else image
    return made if made is not None else image


# ---- an animation -------------------------------------------------------------


def _write_animation(image: Image.Image, kind: str, frames: list[Frame], spool: BinaryIO) -> None:
    options: dict[str, Any] = {"save_all": True, "duration": [one.duration for one in frames]}
    loop = image.info.get("loop")
    if loop is not None:
        options["loop"] = loop
    if kind == "GIF":
        options |= {"comment": b"", "optimize": False}
        if any(one.vanishes for one in frames):  # each is drawn anew, which takes many bytes
            options["disposal"] = 2
    else:
        options |= {"quality": 80, "method": 1, "icc_profile": b"", "exif": b"", "xmp": b""}
    image.save(spool, kind, **options)


# ---- the thumbnail -------------------------------------------------------------


def _thumb(image: Image.Image) -> bytes:
    if image.mode.startswith("I"):  # of 16 bits
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    small = image.convert("RGBA" if _has_alpha(image) else "RGB")
    small.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.info = {}
    written = io.BytesIO()
    small.save(written, "WEBP", quality=80, method=4)
    return written.getvalue()


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
