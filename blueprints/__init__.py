"""All that knows Flask. A file with a `blueprint()` is a door: some addresses and their views."""

from .register import register

__all__ = ["register"]
