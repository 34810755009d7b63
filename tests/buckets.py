"""A store that speaks S3, in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

from testkit.ports import free_port


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Where such a store is reached; it is empty."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if b"Running on" in line:
            break
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def made(endpoint: str, bucket: str) -> str:
    """The `CSAPP_FILES_URL` of a new bucket, with a prefix and a secret that has to be quoted."""
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    urllib.request.urlopen(request).close()
    return f"s3://key:s%2Fcret@{bucket}/chat/live?endpoint={endpoint}&region=us-east-1"
