"""What files are called: as their authors call them, but without harm to those who read it."""

from __future__ import annotations

import mimetypes
import re
import unicodedata

MAX_NAME = 200  # characters
MAX_ENDING = 12  # characters behind the last dot that count as an ending

NAMELESS = "file"

#: the endings that suit a type; the first is given where a name has none of them. Of other types
#: the machine's list says it
ENDINGS = {
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "application/pdf": ("pdf",),
}

_OF_OTHERS = frozenset(ending for endings in ENDINGS.values() for ending in endings)

#: endings of what is text, and runs or is drawn where somebody opens it
_ACTIVE = frozenset(
    (
        "html", "htm", "xhtml", "shtml", "mht", "mhtml", "svg", "svgz", "xml", "xsl", "xslt", "js",
        "mjs", "cjs", "jse", "vbs", "vbe", "wsf", "wsh", "hta", "bat", "cmd", "ps1", "psm1", "sh",
        "bash", "zsh", "py", "pyw", "pl", "rb", "php", "phtml", "asp", "aspx", "jsp", "url", "lnk",
        "desktop", "reg", "inf", "scf", "exe", "com", "scr", "pif", "msi", "msp", "dll", "cpl",
        "jar", "app", "command", "terminal", "workflow",
    )
)  # fmt: skip

#: what no file system takes, and what a shell or a page might read as something else
_UNFIT = re.compile(r'[<>:"|?*\\/]')


def cleaned(name: str) -> str:
    """*name* without a path, control characters and changes of direction; never empty."""
    last = re.split(r"[\\/]", name)[-1]
    kept = "".join(one for one in last if unicodedata.category(one) not in _HIDDEN)
    kept = " ".join(_UNFIT.sub("_", unicodedata.normalize("NFC", kept)).split()).strip(" .")
    return _shortened(kept) or NAMELESS


#: control, format (direction, zero width), surrogates, private use, line and paragraph ends
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def suited(name: str, mime: str) -> str:
    """*name*, with an ending that suits the type: `photo.jpg.exe` of a PNG is `photo.jpg.png`."""
    stem, ending = _parted(name)
    if mime == "text/plain":
        is_fit = ending.lower() not in _ACTIVE | _OF_OTHERS
        return name if is_fit else _shortened(f"{name}.txt", "txt")
    listed = tuple(one[1:] for one in mimetypes.guess_all_extensions(mime))
    fitting = ENDINGS.get(mime, listed)
    if ending.lower() in fitting:
        return name
    if fitting:
        return _shortened(f"{stem}.{fitting[0]}", fitting[0])
    return _shortened(f"{name}.bin", "bin") if ending.lower() in _ACTIVE else name


def _parted(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    is_ending = dot and stem and 1 <= len(ending) <= MAX_ENDING and ending.isalnum()
    return (stem, ending) if is_ending else (name, "")


def _shortened(name: str, ending: str = "") -> str:
    """At most `MAX_NAME` characters, with its ending."""
    if len(name) <= MAX_NAME:
        return name
    stem, found = _parted(name)
    ending = ending or found
    room = MAX_NAME - len(ending) - 1
    return f"{stem[:room].rstrip(' .')}.{ending}" if ending else name[:MAX_NAME]
