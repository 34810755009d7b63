"""The participants that this worker knows, and what is parked here for the absent ones."""

from __future__ import annotations

import threading

from .channels import Channel, ParkedFrames
from .conversation.conversation import Conversation
from .participants import Feed, Owed, Participant, Phase


class Roster:
    """All participants that this worker knows. *most_parked*: bytes parked for one of them."""

    def __init__(self, most_parked: int) -> None:
        #: by their UUIDs
        self.participants: dict[str, Participant] = {}
        #: held while connections of participants change, and while decisions are carried out
        self.lock = threading.Lock()
        self.most_parked = most_parked

    def holds(self, participant: Participant) -> bool:
        """Whether *participant* is still known here, and not only another one of its UUID."""
        return self.participants.get(participant.uuid) is participant

    def park(self, to: Participant, owed: Owed) -> None:
        """Park *owed* until *to* gets a connection here."""
        to.parked.append(owed)
        if isinstance(owed, ParkedFrames):
            to.parked_bytes += len(owed.plain or owed.full)

    def is_full(self, to: Participant, data: bytes) -> bool:
        """Whether *to* is absent and *data* is too much to be parked for it."""
        return not to.connections and to.parked_bytes + len(data) > self.most_parked


def put_parked(participant: Participant, connection: Feed) -> None:
    """Put into *connection* what is parked for *participant*, which comes by it."""
    plainly = connection.dialect.version == 1
    while participant.parked:
        parked = participant.parked.pop(0)
        if isinstance(parked, ParkedFrames) and (data := parked.plain if plainly else parked.full):
            connection.deliver_parked(parked, data)
    participant.parked_bytes = 0


def park_unseen(participant: Participant, connection: Feed) -> None:
    """Without a history: park what *connection* says it has not seen, and older ones were sent."""
    sent = [
        frames
        for older in participant.doubtful
        for frames in older.unconfirmed()
        if frames.conversation
    ]
    unseen = {
        (frames.conversation, frames.first): frames
        for frames in sent
        if (seen := connection.last_seen(frames.conversation)) is not None and frames.last > seen
    }
    left = [
        frames
        for frames in participant.parked
        if isinstance(frames, ParkedFrames)
        and (
            not frames.conversation
            or frames.last > (connection.last_seen(frames.conversation) or 0)
        )
    ]
    participant.parked = [*(unseen[place] for place in sorted(unseen)), *left]


def await_waiter(user: Participant, giver: Participant, to_user: Channel | None) -> None:
    """Nobody serves *user* any more, and its conversation goes on: `join` is to follow.

    What the user has on its way is not for its former waiter any more, for whom *giver* stands.
    *to_user*: by which that waiter has written.
    """
    if to_user is None:
        return
    to_user.is_over = True
    if user.former is not None and user.former.conversation is to_user.conversation:
        user.former.turn_to(giver)


def join(
    user: Participant, waiter: Participant, conversation: Conversation
) -> tuple[Channel, Channel]:
    """*waiter* serves *user* from now on: the channels to the waiter, and to the user.

    What the user was writing when it was handed over goes to *waiter* as well.
    """
    former = user.former
    if former is not None and former.conversation is conversation and not former.to.uuid:
        former.turn_to(waiter)
        user.channel = former
    else:
        user.channel = Channel(user, waiter, conversation)
    user.phase = Phase.SERVED
    to_user = waiter.channels[user.uuid] = Channel(waiter, user, conversation)
    to_user.is_unanswered = True
    return user.channel, to_user
