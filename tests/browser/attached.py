"""Files that people send in tests of pages."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw
from playwright.sync_api import Page, Response

PIECE = 524_288  # bytes, as `upload.js` has it
ORIENTATION, GPS = 0x0112, 0x8825  # tags of EXIF
#: what browsers say of a line that is cut
CUT = ("ERR_", "WebSocket connection to", "Failed to load resource")


def photo(width: int = 2400, height: int = 1600) -> bytes:
    """What a camera makes that is held upright: a photo on its side, and EXIF with the place."""
    picture = Image.effect_noise((width, height), 64).convert("RGB")
    ImageDraw.Draw(picture).rectangle((0, 0, width // 8, height // 8), fill="red")
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned to the right
    exif[GPS] = {1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)}
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=90, exif=exif)
    return made.getvalue()


def drawn(colour: str, width: int = 640, height: int = 480) -> bytes:
    """A picture that is quickly made: a frame in *colour*."""
    picture = Image.new("RGB", (width, height), "#cfd8e3")
    ImageDraw.Draw(picture).rectangle((80, 80, width - 80, height - 80), fill=colour)
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()


class Answers:
    """What the server has answered to pieces of uploads."""

    def __init__(self, page: Page) -> None:
        self.offsets: list[int] = []
        page.on("response", self._heard)

    def _heard(self, response: Response) -> None:
        if response.url.endswith("/v1/files") and response.status == 202:
            self.offsets.append(response.json()["offset"])
