"""What a version-2 client knows of a conversation, and the letters of its outbox."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Letter:
    """A message in the outbox."""

    client_id: str
    text: str
    #: sent on this connection, and not refused since
    sent: bool = False
    #: not to be sent before
    due: float = 0.0
    #: how often it was sent, on any connection
    times: int = 0


@dataclass(slots=True)
class Conversation:
    """What a device knows of one conversation."""

    name: str
    #: the other side's UUID
    peer: str = ""
    #: the last seen of all that were seen without a gap; None: nothing yet
    last_seq: int | None = None
    #: the page has come, so it is served and may be spoken in
    here: bool = False
    #: its page is still to come on this connection, before anything else of it
    entering: bool = True
    ended: bool = False
    #: a waiter has handed its user over: for the waiter it has ended, and goes on elsewhere
    handed: bool = False
    #: the server has named the other side on this connection
    named: bool = False
    outbox: dict[str, Letter] = field(default_factory=dict)
    #: later than `last_seq`: seen after a gap that is being asked for
    ahead: set[int] = field(default_factory=set)

    def unsent(self) -> None:
        """Whatever is in the outbox is to be sent (again)."""
        for letter in self.outbox.values():
            letter.sent = False
            letter.due = 0.0

    def give_up(self) -> None:
        """What is missing will not come."""
        self.last_seq = min(self.ahead) - 1
        self.saw(min(self.ahead))

    def saw(self, seq: int) -> None:
        """*seq* was seen."""
        if self.last_seq is None:
            self.last_seq = seq
        elif seq > self.last_seq:
            self.ahead.add(seq)
            while self.last_seq + 1 in self.ahead:
                self.last_seq += 1
                self.ahead.remove(self.last_seq)
