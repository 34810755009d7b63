"""What an address and a participant may hold and spend: every bound on strangers, in one place.

Bounds by address are there against one machine that takes what is everybody's;
they leave room for an office behind one address. Bounds by participant are
there against many connections that ask for the same again and again.
"""

from __future__ import annotations

#: s that a ticket keeps a place in line, from when it was told last: a server that is mended
TICKET_LIFETIME = 7200.0

#: tickets that are void, remembered until they would have run out anyway
MOST_VOID = 100_000
