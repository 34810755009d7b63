"""A waiter asks why a visitor waits."""

from __future__ import annotations

from msgspec import UNSET

from ..desk.port import NOWHERE, Explanation
from ..participants import Participant
from ..wire import codec, frames
from ..wire.codes import ErrorCode, Refusal
from ..wire.dates import rfc3339
from .caller import Caller, count_question


def explain(caller: Caller, frame: frames.Explain, me: Participant) -> None:
    """A waiter sees why a visitor of its departments is not served, waiter by waiter."""
    count_question(caller, frame, me)
    try:
        found = caller.house.switchboard.desk.explain(frame.payload.uuid)
    except KeyError:
        raise _nobody(frame) from None
    if found.department not in {key for key, _ in me.departments or NOWHERE}:
        raise _nobody(frame)
    payload = _shown(caller, frame.payload.uuid, found)
    caller.feed.reply(frame, frames.Explanation(id=codec.new_id(), to=me.uuid, payload=payload))


def _shown(caller: Caller, uuid: str, found: Explanation) -> frames.ExplanationPayload:
    opening = caller.house.departments.opening(found.department)
    return frames.ExplanationPayload(
        uuid=uuid,
        location=found.position,
        waiters=[
            frames.HinderedWaiter(
                one.uuid, one.name, one.reason, one.load, one.capacity, one.department
            )
            for one in found.waiters
        ],
        reasons={str(reason): count for reason, count in found.reasons.items()},
        department=found.department,
        priority=found.priority,
        away=not found.is_here,
        moves_to=UNSET if found.moves_to is None else found.moves_to,
        moves_at=UNSET if found.moves_at is None else rfc3339(found.moves_at),
        closed=not opening.is_open,
        opens=UNSET if opening.opens is None else rfc3339(opening.opens * 1000),
        more=not found.is_complete,
    )


def _nobody(frame: frames.Explain) -> Refusal:
    """One sentence for a visitor of others and for nobody, so that a waiter learns nothing."""
    what = "payload.uuid: no such visitor waits"
    return Refusal(ErrorCode.NO_SUCH_USER, what, frame.reply_id)
