"""How many places the users of one address hold, the absent ones included.

A user holds a place while it waits in the queue and while it is served.

Not locked: the desk's lock is held around every call.
"""

from __future__ import annotations


class Places:
    """At most *most* for each address; 0: as many as come. An unknown address has no bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: address → its users, in the order in which they came
        self._held: dict[str, dict[str, None]] = {}
        self._address: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._address)

    def at_bound(self, address: str) -> list[str]:
        """The users of *address* if no more of it may come, else nobody."""
        held = self._held.get(address, {})
        return list(held) if self._most and len(held) >= self._most else []

    def take(self, user: str, address: str) -> None:
        """*user* holds a place from now on."""
        if self._most and address and user not in self._address:
            self._address[user] = address
            self._held.setdefault(address, {})[user] = None

    def give_back(self, user: str) -> None:
        """*user* holds none any more, if it ever did."""
        address = self._address.pop(user, None)
        if address is None:
            return
        held = self._held[address]
        del held[user]
        if not held:
            del self._held[address]
