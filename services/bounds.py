"""What an address and a participant may hold and spend: every bound on strangers, in one place.

Bounds by address are there against one machine that takes what is everybody's;
they leave room for an office behind one address. Bounds by participant are
there against many connections that ask for the same again and again.
"""

from __future__ import annotations

#: s that a stranger who has said nothing keeps a place without a connection: a page that is
#: loaded again
STRANGER_GRACE = 5.0

#: of so many seats one is kept for somebody who is away and has said nothing, though others wait
SEATS_KEPT = 10

#: places in the queue and in chats for one address, where it may hold 100 connections: an office
PLACES = 50

#: s that a ticket keeps a place in line, from when it was told last: a server that is mended
TICKET_LIFETIME = 7200.0

#: tickets that are void, remembered until they would have run out anyway
MOST_VOID = 100_000


def places_of(connections: int) -> int:
    """Places in the queue and in chats for an address that may hold so many *connections*.

    As many as it has connections, up to `PLACES`; half of them where that is more. 0: no bound.
    """
    return max(min(connections, PLACES), connections // 2)
