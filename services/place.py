"""Where this csapp is: in a checkout, or in the package that its wheel installs."""

from __future__ import annotations

from pathlib import Path

_PACKAGE, _, _ = __name__.rpartition(".services.")

#: the folder that a Python process needs on its path to import csapp
ROOT = Path(__file__).resolve().parents[2 if _PACKAGE else 1]

#: what gunicorn is given with `-c`
CONFIGURATION = f"python:{_PACKAGE}.gunicorn_conf" if _PACKAGE else str(ROOT / "gunicorn.conf.py")

#: what gunicorn serves where there is no host
STANDALONE = f"{_PACKAGE}.wsgi:app" if _PACKAGE else "wsgi:app"
