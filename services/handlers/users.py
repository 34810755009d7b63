"""What a user asks for: a waiter, and the end."""

from __future__ import annotations

from ..desk.port import AddressFull, Queued, QueueFull
from ..history.visits import Outcome
from ..offline import Offline
from ..participants import Participant, Phase
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from ..wire.dates import rfc3339
from .caller import Caller
from .wishes import TurnedAway, Wish, read_wish

#: times that one `connect` asks the desk, while other connections of the user leave the queue
ATTEMPTS = 3


def connect(caller: Caller, frame: frames.Connect | frames.Connect2, me: Participant) -> None:
    """A user asks for a waiter."""
    wish = read_wish(caller, frame, me)
    if isinstance(wish, TurnedAway):
        outcome = Outcome(wish.why.reason)
        me.visit = caller.house.switchboard.visits.turned_away(
            me.identity.subject, wish.department, outcome
        )
        _send_away(caller, frame, wish.why)
        return
    for _ in range(ATTEMPTS):
        with caller.feed.awaiting_decision(frame):
            _ask_for_waiter(caller, frame, me, wish)
        if caller.feed.pop_pending_request(type(frame)) is None or _send_state(caller, frame, me):
            return
    what = "another connection of yours leaves the queue; try again"
    raise Refusal(ErrorCode.UNAVAILABLE, what, frame.reply_id)


def _send_away(caller: Caller, frame: frames.ClientFrame, why: Offline) -> None:
    """Answer *frame*, whose user is not let in. Raises `Refusal` in version 1."""
    feed = caller.feed
    answer = feed.dialect.offline(feed.uuid, why.reason, why.opens)
    if answer is None:
        opens = "" if why.opens is None else f"; we open at {rfc3339(why.opens * 1000)}"
        raise Refusal(ErrorCode.UNAVAILABLE, f"we are closed{opens}", frame.reply_id)
    feed.reply(frame, answer)


def _ask_for_waiter(caller: Caller, frame: frames.ClientFrame, me: Participant, wish: Wish) -> None:
    switchboard = caller.house.switchboard
    try:
        number = switchboard.desk.connect(
            me.uuid, wish.ticket, switchboard.clock.new_key(), question=wish.question,
            page=me.page[1], fields=wish.fields, route=wish.route,
        )  # fmt: skip
        if me.phase is Phase.IDLE or not wish.route.stays:
            me.asked = wish.route.wanted
    except QueueFull as full:
        caller.feed.pending = None
        if me.phase is Phase.IDLE:  # otherwise it goes on waiting where it waits
            subject = me.identity.subject
            me.visit = switchboard.visits.turned_away(subject, wish.route.wanted, Outcome.FULL)
        who = "visitors of your address" if isinstance(full, AddressFull) else "visitors"
        what = f"too many {who} are waiting; try later"
        raise Refusal(ErrorCode.QUEUE_FULL, what, frame.reply_id) from None
    if number:
        switchboard.visits.asked(number, wish.route.wanted)
    switchboard.carry_out()
    if number and me.conversation is None:
        me.visit = number


def _send_state(caller: Caller, frame: frames.ClientFrame, me: Participant) -> bool:
    """Answer *frame*, on which nothing was decided. False: *me* has left the queue just now."""
    switchboard, channel = caller.house.switchboard, me.channel
    if channel is not None:
        answer = switchboard.introduce(me, channel, True, caller.feed.dialect)
        answer.reply_id = frame.id
        caller.feed.open_conversation(channel, answer)
        return True
    desk, user = switchboard.desk, me.uuid
    try:
        queued = Queued(user, desk.location(user), desk.ticket(user), desk.department(user))
    except KeyError:
        return False
    caller.feed.reply(frame, switchboard.place(me, queued, caller.feed.dialect))
    since = switchboard.clock.opened(me.visit) if me.visit and me.conversation is None else 0
    switchboard.queue_words.begin(me, queued.department, since)
    return True


def leave(caller: Caller, frame: frames.Disconnect, me: Participant) -> None:
    """A user ends its conversation, or leaves the queue; it may `connect` again."""
    switchboard = caller.house.switchboard
    with caller.feed.awaiting_decision(frame):
        if me.channel is not None or not switchboard.desk.withdraw(me.uuid):
            switchboard.carry_out()  # another thread may have matched it just now
            channel = me.channel
            if channel is not None and not switchboard.desk.part(me.uuid, channel.to.uuid, me.uuid):
                switchboard.desk.withdraw(me.uuid)  # its waiter was lost just now
        switchboard.carry_out()
    caller.feed.pending = None
