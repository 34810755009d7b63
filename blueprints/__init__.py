"""The doors: all that knows Flask, one file a door."""

from .register import register

__all__ = ["register"]
