"""A test kit for csapp and for applications that embed it.

    from testkit import Client, LiveServer, assert_receives

Flask's test client cannot open WebSockets, so tests run a real server.
"""

from .client import Client, assert_receives
from .server import LiveServer

__all__ = ["Client", "LiveServer", "assert_receives"]
