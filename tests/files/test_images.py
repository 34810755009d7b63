"""Images are made anew: upright, without anything but the picture, within bounds."""

from __future__ import annotations

import contextlib
import io
import zlib

import pytest
from PIL import Image, ImageChops

from services.files import images
from services.files.errors import Rejected
from services.files.judge import types_of

from . import pictures
from .pictures import SECRETS


def cleaned(content: bytes, mime: str | None = None) -> tuple[bytes, images.Picture]:
    picture = images.clean(io.BytesIO(content), mime or types_of(io.BytesIO(content))[0])
    picture.content.seek(0)
    with picture.content as file:
        found = file.read()
    assert len(found) == picture.size
    return found, picture


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """How much two pictures differ, 0 to 255."""
    assert one.size == other.size
    values = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).convert("L").tobytes()
    return sum(values) / len(values)


STILLS = {"jpeg": pictures.jpeg, "png": pictures.png, "webp": pictures.webp}


@pytest.mark.parametrize("make", [*STILLS.values(), pictures.gif], ids=[*STILLS, "gif"])
def test_nothing_is_left_but_the_picture(make):
    before = make()
    assert any(secret in before for secret in SECRETS)
    after, picture = cleaned(before)
    for some in (after, picture.thumb):
        assert [secret for secret in SECRETS if secret in some] == []
        image = opened(some)
        assert not image.getexif()
        assert set(image.info) <= {
            "jfif", "jfif_version", "jfif_unit", "jfif_density", "loop", "background",
            "version", "duration", "extension", "timestamp", "transparency",
        }  # fmt: skip
    assert difference(opened(before), opened(after)) < 3


@pytest.mark.parametrize("kind", STILLS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright(kind, orientation):
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = pictures.drawn(128, 64)
    held = upright.transpose(turns[orientation]) if orientation > 1 else upright
    after, picture = cleaned(STILLS[kind](held, orientation=orientation))
    assert (picture.width, picture.height) == (128, 64)
    assert difference(opened(after), upright) < 8
    assert difference(opened(picture.thumb), upright) < 8


def test_a_jpeg_that_needs_no_turning_keeps_its_quality():
    before = pictures.jpeg(pictures.drawn(200, 100), quality=61, subsampling=2)
    after, _ = cleaned(before)
    assert opened(after).quantization == opened(before).quantization
    turned, _ = cleaned(pictures.jpeg(pictures.drawn(200, 100), orientation=6, quality=61))
    assert opened(turned).quantization == opened(before).quantization


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpegs_of_all_colours_are_read(mode):
    after, _ = cleaned(pictures.jpeg(pictures.drawn(mode=mode)))
    assert opened(after).mode in ("L", "RGB")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pngs_of_all_colours_are_read(mode):
    image = pictures.drawn(mode="L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = image.convert("I").point(lambda value: value * 256).convert("I;16")
    after, picture = cleaned(pictures.png(image))
    assert opened(after).mode == mode
    shown = opened(picture.thumb).convert("L").getextrema()
    assert shown[0] < 100
    assert shown[1] > 200


def test_what_is_transparent_stays_so():
    image = pictures.drawn(mode="RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    for before in (pictures.png(image), pictures.webp(image, lossless=True)):
        after, picture = cleaned(before)
        assert opened(after).getpixel((0, 0))[3] == 0
        assert opened(picture.thumb).mode == "RGBA"


def test_colours_of_another_profile_become_those_of_the_web():
    from PIL import ImageCms

    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (wide, srgb, b"no profile"):
        after, _ = cleaned(pictures.jpeg(icc_profile=profile))
        assert "icc_profile" not in opened(after).info
        assert b"ICC_PROFILE" not in after


def test_a_thumbnail_is_small():
    _, picture = cleaned(pictures.png(pictures.drawn(2000, 500)))
    assert opened(picture.thumb).size == (480, 120)
    assert len(picture.thumb) < 20_000


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_goes_on_moving(kind):
    durations = [80, 120, 200, 40]
    if kind == "GIF":
        before = pictures.gif(4, durations, loop=3)
    else:
        frames = [pictures.drawn().rotate(37 * n) for n in range(4)]
        before = pictures.webp(
            frames[0], save_all=True, append_images=frames[1:], duration=durations, loop=3
        )
    after, picture = cleaned(before)
    assert [secret for secret in SECRETS if secret in after] == []
    old, new = Image.open(io.BytesIO(before)), Image.open(io.BytesIO(after))
    assert (new.format, new.n_frames, new.info.get("loop")) == (kind, 4, old.info["loop"])
    for number, duration in enumerate(durations):
        for image in (old, new):
            image.seek(number)
            image.load()
        assert new.info["duration"] == duration
        assert difference(old, new) < 6
    old.seek(0)
    assert difference(opened(picture.thumb), old) < 8


def test_an_animation_whose_pixels_vanish_again_stays_the_same():
    frames = []
    for number in range(3):
        frame = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
        frame.paste((255, 0, 0, 255), (number * 10, 0, number * 10 + 10, 10))
        frames.append(frame)
    written = io.BytesIO()
    frames[0].save(
        written, "GIF", save_all=True, append_images=frames[1:], duration=100, disposal=2
    )
    after, _ = cleaned(written.getvalue())
    new = Image.open(io.BytesIO(after))
    for number, frame in enumerate(frames):
        new.seek(number)
        assert new.convert("RGBA").getchannel("A").tobytes() == frame.getchannel("A").tobytes()


def test_a_transparent_animation_whose_pixels_stay_does_not_grow():
    noise = Image.effect_noise((120, 120), 90).convert("P")
    frames = []
    for number in range(30):
        frame = noise.copy()
        frame.putpixel((number, number), 7)
        frame.putpixel((0, 119), 3)
        frames.append(frame)
    before = io.BytesIO()
    frames[0].save(
        before, "GIF", save_all=True, append_images=frames[1:], duration=100, transparency=3,
        disposal=1,
    )  # fmt: skip
    after, _ = cleaned(before.getvalue())
    assert len(after) < 2 * len(before.getvalue())
    old, new = Image.open(before), Image.open(io.BytesIO(after))
    for number in range(30):
        for image in (old, new):
            image.seek(number)
        assert new.convert("RGBA").tobytes() == old.convert("RGBA").tobytes()


# ---- attacks -----------------------------------------------------------------


def assert_rejected(content: bytes, mime: str | None = None, code: str = "image") -> None:
    with pytest.raises(Rejected) as rejected:
        cleaned(content, mime)
    assert rejected.value.code == code


def test_a_picture_that_says_it_is_huge_is_never_decoded(monkeypatch):
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    for width, height in ((60_000, 60_000), (8000, 6000), (1 << 30, 1), (10_000, 10_000)):
        assert_rejected(pictures.png_of(width=width, height=height, data=zlib.compress(b"")))
    big = bytearray(pictures.gif())
    big[6:10] = b"\xff\xff\xff\xff"
    assert_rejected(bytes(big))


@pytest.mark.parametrize("frame", [0, 1, 5])
def test_a_frame_that_is_larger_than_its_image_is_never_decoded(monkeypatch, frame: int):
    small = pictures.gif_of((1, 1), [(0, 0, 1, 1)] * 6)
    cleaned(small)
    frames = [(0, 0, 1, 1)] * 6
    for large in ((0, 0, 9000, 9000), (65_000, 65_000, 1, 1)):
        frames[frame] = large
        bomb = pictures.gif_of((1, 1), frames)
        with monkeypatch.context() as patch:
            patch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("decoded"))
            patch.setattr("PIL.Image.core.fill", lambda *_: pytest.fail("made"))
            assert_rejected(bomb)


def test_frames_that_grow_are_counted_as_the_largest(monkeypatch):
    monkeypatch.setattr(images, "MAX_MOVING_PIXELS", 300)
    cleaned(pictures.gif_of((1, 1), [(0, 0, 1, 1), (9, 9, 1, 1), (0, 0, 1, 1)]))
    assert_rejected(pictures.gif_of((1, 1), [(0, 0, 1, 1), (10, 10, 1, 1), (0, 0, 1, 1)]))


def test_a_picture_that_is_drawn_again_and_again_is_refused():
    before = pictures.jpeg(progressive=True)
    cleaned(before)
    last = before[before.rindex(b"\xff\xda") : before.rindex(b"\xff\xd9")]
    assert_rejected(before.replace(last, last * 200))
    assert_rejected(before.replace(last, last * 50 + bytes(300_000) + last * 60))


def test_metadata_in_thousands_of_blocks_is_refused():
    before = pictures.jpeg()
    assert_rejected(before[:2] + b"\xff\xe1\x00\x09Exif\0\0x" * 200 + before[2:])


def test_a_small_file_does_not_become_a_large_one():
    """Rows are longer than what deflate looks back over: only a filter finds them the same."""
    row = Image.effect_noise((40_000, 1), 90).tobytes()
    pixels = b"\0" + row + (b"\2" + bytes(len(row))) * 99
    data = zlib.compress(pixels, 9)
    bomb = pictures.png_of(
        pictures.chunk(b"PLTE", bytes(768)), width=len(row), height=100, data=data, colour=3
    )
    assert len(bomb) < 100_000
    assert_rejected(bomb)


def test_a_bomb_of_compressed_nothing_is_refused():
    bomb = zlib.compress(b"\0" * 200_000_000, 9)
    assert len(bomb) < 300_000
    assert_rejected(pictures.png_of(width=14_000, height=14_000, data=bomb))


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_bomb_of_text_takes_no_memory(name):
    bomb = zlib.compress(b"a" * 100_000_000, 9)
    data = {
        b"zTXt": b"Comment\0\0" + bomb,
        b"iTXt": b"Comment\0\1\0\0\0" + bomb,
        b"iCCP": b"profile\0\0" + bomb,
    }[name]
    try:
        after, _ = cleaned(pictures.png_of(pictures.chunk(name, data)))
    except Rejected:
        return
    assert len(after) < 1000


def test_an_animation_of_too_many_frames_is_refused(monkeypatch):
    monkeypatch.setattr(images, "MAX_FRAMES", 5)
    assert_rejected(pictures.gif(6))
    cleaned(pictures.gif(5))
    monkeypatch.setattr(images, "MAX_MOVING_PIXELS", 40 * 30 * 3)
    assert_rejected(pictures.gif(4))
    cleaned(pictures.gif(3))


@pytest.mark.parametrize("make", [*STILLS.values(), pictures.gif], ids=[*STILLS, "gif"])
def test_half_a_picture_is_none(make):
    content = make(pictures.drawn(300, 200)) if make is not pictures.gif else make(4)
    for part in (0.1, 0.5, 0.8):
        half = content[: round(len(content) * part)]
        assert_rejected(half, types_of(io.BytesIO(content))[0])


@pytest.mark.parametrize("kind", [*STILLS, "gif"])
def test_whatever_becomes_of_its_bytes_it_is_an_image_or_refused(kind):
    import random

    content = (STILLS | {"gif": lambda: pictures.gif(3)})[kind]()
    mime = types_of(io.BytesIO(content))[0]
    chance = random.Random(kind)
    for _ in range(150):
        broken = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(12, len(broken))] = chance.randrange(256)
        with contextlib.suppress(Rejected):
            opened(cleaned(bytes(broken), mime)[0])


def test_a_picture_of_another_format_is_not_opened():
    for written in ("BMP", "TIFF", "ICO", "PPM"):
        content = io.BytesIO()
        pictures.drawn().save(content, written)
        for mime in images.FORMATS:
            assert_rejected(content.getvalue(), mime)


def test_what_is_a_gif_and_a_script_is_only_a_gif():
    script = b"GIF89a/*\0\0\0\0\0*/=1;alert(document.domain)//"
    assert_rejected(script)
    after, _ = cleaned(pictures.gif() + b"*/=1;alert(1)")
    assert b"alert" not in after
