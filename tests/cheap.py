"""The standalone application with passwords that cost next to nothing."""

from __future__ import annotations

from blueprints import password_hashing
from csapp import create_app

#: of scrypt, with 1 MiB
COST = "scrypt:1024:8:1"

password_hashing.COST = COST
app = create_app()
