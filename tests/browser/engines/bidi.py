"""Stands between Playwright and Firefox, which speak WebDriver BiDi.

A program: its arguments are Firefox's. It starts Firefox, says on its standard error where
Firefox listens, as Firefox does (but names its own port), and passes all messages on, except
those of `UNKNOWN`, which Firefox would refuse, and Playwright would take for a failure.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

EXECUTABLE = "/usr/bin/firefox-esr"
#: `firefox.py` sets preferences for what these ask
UNKNOWN = {"emulation.setMediaFeaturesOverride"}
LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
#: of `connect` and `serve`: a screenshot is one large message
LARGE = {"max_size": None, "compression": None}


async def started() -> tuple[Process, str]:
    """Firefox, and the address where it listens."""
    firefox = await asyncio.create_subprocess_exec(EXECUTABLE, *sys.argv[1:], stderr=PIPE)
    assert firefox.stderr
    async for line in firefox.stderr:
        if listening := LISTENING.search(line):
            return firefox, listening[1].decode()
        sys.stderr.buffer.write(line)
    raise SystemExit(await firefox.wait())


async def main() -> None:
    """Until Firefox ends."""
    firefox, address = await started()

    async def relay(playwright: ServerConnection) -> None:
        assert playwright.request
        target = address + playwright.request.path
        async with connect(target, proxy=None, **LARGE) as browser:  # type: ignore[arg-type]

            async def back() -> None:
                async for message in browser:
                    await playwright.send(message)

            returning = asyncio.create_task(back())
            async for message in playwright:
                asked = json.loads(message)
                if asked["method"] in UNKNOWN:
                    answer = {"type": "success", "id": asked["id"], "result": {}}
                    await playwright.send(json.dumps(answer))
                else:
                    await browser.send(message)
            await returning

    async with serve(relay, "127.0.0.1", 0, **LARGE) as server:  # type: ignore[arg-type]
        port = server.sockets[0].getsockname()[1]
        print(f"WebDriver BiDi listening on ws://127.0.0.1:{port}", file=sys.stderr, flush=True)
        assert firefox.stderr
        async for line in firefox.stderr:
            sys.stderr.buffer.write(line)
        await firefox.wait()


if __name__ == "__main__":
    asyncio.run(main())
