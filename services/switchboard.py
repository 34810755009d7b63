"""Participant → the sockets it has here; carries out what the desk decides.

A participant may have several sockets (tabs) or, for the length of a grace
period, none: what arrives then is parked and follows when it returns. The
switchboard mirrors the desk's decisions on the participants (`peer`, `users`,
`phase`), so that a message finds its way without asking the desk and without
a lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from .desk.port import Arrival, Departed, Desk, Matched, Parted, Queued, Role
from .identity import Identity
from .transport.frames import HEADS
from .transport.frames import frame as framed
from .wire import codec, frames


class Phase(StrEnum):
    """How far a participant has got; with the frame's type it decides what happens."""

    GREETED = "greeted"  # a socket before `auth`
    IDLE = "idle"  # a user who has not asked for a waiter
    QUEUED = "queued"
    SERVED = "served"
    OFF_DUTY = "off_duty"  # a waiter who takes no users
    ON_DUTY = "on_duty"


class Socket(Protocol):
    """One connection of a participant, as a session shows it to the switchboard."""

    def put(self, frame: bytes, /) -> None:
        """Queue framed bytes; never waits."""

    def replace(self) -> None:
        """A newer login takes its place: close it."""

    def welcome(self, participant: Participant, arrival: Arrival) -> None:
        """It belongs to *participant* now; what was parked follows."""

    def take_question(self) -> frames.ClientFrame | None:
        """The frame that this socket waits to have answered, once; None otherwise."""


class Line:
    """One direction of a chat: who hears, and the voice in which it is spoken to."""

    __slots__ = ("texts", "to")

    def __init__(self, sender: Participant, to: Participant) -> None:
        self.to = to
        #: from messages to their framed bytes, in one piece
        self.texts = codec.Voice(sender.uuid, to.uuid, HEADS).texts


class Participant:
    """A visitor session or a waiter on duty, as this process knows it."""

    __slots__ = (
        "identity",
        "line",
        "lines",
        "parked",
        "parked_bytes",
        "phase",
        "role",
        "sockets",
        "uuid",
    )

    def __init__(self, uuid: str, role: Role, identity: Identity) -> None:
        self.uuid = uuid
        self.role = role
        self.identity = identity
        self.phase = Phase.IDLE if role is Role.USER else Phase.OFF_DUTY
        self.sockets: tuple[Socket, ...] = ()
        #: to a user's waiter
        self.line: Line | None = None
        #: to a waiter's users by their UUIDs, in the order in which they were matched
        self.lines: dict[str, Line] = {}
        #: framed bytes that wait for it to return
        self.parked: deque[bytes] = deque()
        self.parked_bytes = 0


class Switchboard:
    """All participants of this process. *most_parked*: bytes kept for an absent one."""

    def __init__(self, desk: Desk, most_parked: int) -> None:
        self.desk = desk
        self._most_parked = most_parked
        self._participants: dict[str, Participant] = {}
        self._lock = threading.Lock()  # who has which sockets, and the order of events

    # ---- coming and going ----------------------------------------------

    def enter(self, role: Role, identity: Identity, uuid: str, sock: Socket) -> list[Socket]:
        """*sock* has shown who it is; it is welcomed and given what was parked.

        A waiter's newer login (another `sid`) replaces the older one: the
        older one's sockets are returned, its users stay.
        """
        replaced: list[Socket] = []
        with self._lock:
            arrival = self.desk.arrive(role, identity.subject, uuid)
            participant = self._participants.get(arrival.uuid)
            if participant is None:
                participant = Participant(arrival.uuid, role, identity)
                self._participants[arrival.uuid] = participant
            if role is Role.WAITER and participant.identity.sid != identity.sid:
                replaced = list(participant.sockets)
                participant.sockets = ()
            participant.identity = identity
            sock.welcome(participant, arrival)
            while participant.parked:
                sock.put(participant.parked.popleft())
            participant.parked_bytes = 0
            participant.sockets += (sock,)
        self.carry_out()
        return replaced

    def exit(self, participant: Participant, sock: Socket, *, deliberate: bool) -> None:
        """*sock* is gone; with the last one its participant leaves or is waited for."""
        with self._lock:
            if sock not in participant.sockets:
                return  # replaced by a newer login
            participant.sockets = tuple(one for one in participant.sockets if one is not sock)
            if not participant.sockets:
                if deliberate:
                    self.desk.leave(participant.uuid)
                else:
                    self.desk.drop(participant.uuid)
        self.carry_out()

    # ---- messages ------------------------------------------------------

    def relay(self, line: Line, messages: list[str]) -> bool:
        """Deliver texts: encoded once, to every socket. False, for all, when they cannot be parked.

        A socket gets them as one piece: what is said at once costs one call each.
        """
        data = line.texts(messages)
        sockets = line.to.sockets
        if not sockets:
            with self._lock:
                if self._is_full(line.to, data):
                    return False
                self._deliver(line.to, data)
        for sock in sockets:
            sock.put(data)
        return True

    def _is_full(self, to: Participant, data: bytes) -> bool:
        """Whether *to* is away and no more texts can be kept for it."""
        return not to.sockets and to.parked_bytes + len(data) > self._most_parked

    def _deliver(self, to: Participant, data: bytes) -> None:
        """Send *data* to every socket, or park it; what the desk decides is never too much."""
        if not to.sockets:
            to.parked.append(data)
            to.parked_bytes += len(data)
        for sock in to.sockets:
            sock.put(data)

    # ---- the desk's decisions ------------------------------------------

    def carry_out(self) -> None:
        """Deliver what the desk has decided since the last call, in its order."""
        with self._lock:
            for event in self.desk.take_events():
                _CARRY_OUT[type(event)](self, event)

    def _matched(self, event: Matched) -> None:
        user, waiter = self._participants[event.user], self._participants[event.waiter]
        user.line = Line(user, waiter)
        user.phase = Phase.SERVED
        waiter.lines[user.uuid] = Line(waiter, user)
        self._answer(user, lambda to: connect_success(to, waiter.uuid))
        self._deliver(waiter, sealed(new_connection(waiter.uuid, user.uuid)))

    def _queued(self, event: Queued) -> None:
        user = self._participants[event.user]
        user.phase = Phase.QUEUED
        if user.sockets:  # a place in line is worth nothing later
            self._answer(user, lambda to: connect_queue(to, event.location))

    def _parted(self, event: Parted) -> None:
        user, waiter = self._participants[event.user], self._participants[event.waiter]
        user.line = None
        user.phase = Phase.IDLE
        waiter.lines.pop(user.uuid, None)
        told, gone = (waiter, user) if event.gone == user.uuid else (user, waiter)
        self._deliver(told, sealed(disconnected(told.uuid, gone.uuid)))
        for sock in gone.sockets:  # its other tabs; the one that ended it knows
            if sock.take_question() is None:
                sock.put(sealed(disconnected(gone.uuid, told.uuid)))

    def _departed(self, event: Departed) -> None:
        self._participants.pop(event.participant)

    def _answer(self, to: Participant, make: Callable[[str], frames.ServerFrame]) -> None:
        """Tell *to*; the socket that asked gets `reply_id` as well."""
        if not to.sockets:
            self._deliver(to, sealed(make(to.uuid)))
        for sock in to.sockets:
            frame = make(to.uuid)
            question = sock.take_question()
            if question is not None:
                frame.reply_id = question.id
            sock.put(sealed(frame))


_CARRY_OUT: dict[type, Callable[..., None]] = {
    Matched: Switchboard._matched,
    Queued: Switchboard._queued,
    Parted: Switchboard._parted,
    Departed: Switchboard._departed,
}


def sealed(frame: frames.ServerFrame) -> bytes:
    """*frame* as it goes over the line."""
    return framed(codec.encode(frame))


def connect_success(to: str, waiter: str) -> frames.ServerFrame:
    return frames.ConnectSuccess(id=codec.new_id(), to=to, payload=frames.UuidPayload(waiter))


def connect_queue(to: str, location: int) -> frames.ServerFrame:
    return frames.ConnectQueue(id=codec.new_id(), to=to, payload=frames.LocationPayload(location))


def new_connection(to: str, user: str) -> frames.ServerFrame:
    return frames.NewConnection(id=codec.new_id(), to=to, payload=frames.UuidPayload(user))


def disconnected(to: str, gone: str) -> frames.ServerFrame:
    return frames.Disconnected(id=codec.new_id(), to=to, from_=gone)
