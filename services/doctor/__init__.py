"""Looks at a set-up, and names each fault with its remedy.

What there is (`SetUp`) is collected by the caller, `ask`
helps with the running chat; a check is a function that
looks at it and yields findings. A new check is a function in the file of its
subject, in that file's `CHECKS`. Nothing here opens, changes or starts anything.
"""

from . import files, mail
from .examine import examine
from .finding import Finding, Level
from .host import ITSELF, LINE
from .outside import ask
from .setup import Answers, Intercepted, Serving, SetUp

__all__ = [
    "ITSELF",
    "LINE",
    "Answers",
    "Finding",
    "Intercepted",
    "Level",
    "Serving",
    "SetUp",
    "ask",
    "examine",
    "files",
    "mail",
]
