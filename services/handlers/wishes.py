"""What one `connect` of a user asks for: where it wants to be served, and with what question."""

from __future__ import annotations

from typing import NamedTuple

from ..desk.port import Route
from ..origin import shown_page
from ..participants import Participant, Phase
from ..prechat import QUESTION, Unfit, checked, filled_in
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller

#: characters that waiters see of what somebody in the queue wants to ask
MAX_QUESTION = 300

_NOTHING = frames.ConnectPayload()


class Wish(NamedTuple):
    """What a user asks the desk for."""

    route: Route
    #: of an earlier position
    ticket: int | None
    question: str | None


def read_wish(caller: Caller, frame: frames.Connect | frames.Connect2, me: Participant) -> Wish:
    """What *frame* asks for; *me* remembers its page and what it has filled in.

    Raises `Refusal` for a department that takes nobody, and for fields that do not fit.
    """
    if not isinstance(frame, frames.Connect2) or frame.payload is None:
        return Wish(*_route(caller, frame, me, _NOTHING), None)
    asked = frame.payload
    route, ticket = _route(caller, frame, me, asked)
    fields = _fields(caller, frame, asked, route)
    if fields is not None:
        me.fields = fields
    elif me.phase is Phase.IDLE:
        me.fields = ""  # of the wish before
    label = "" if caller.house.departments else asked.department
    me.page = label, shown_page(asked.page, caller.house.settings.page)
    words = asked.question if isinstance(asked.question, str) else _question(me)
    return Wish(route, ticket, words[:MAX_QUESTION] if words is not None else None)


# ---- where ---------------------------------------------------------------------


def _route(
    caller: Caller, frame: frames.ClientFrame, me: Participant, asked: frames.ConnectPayload
) -> tuple[Route, int | None]:
    """Where *me* wants to be served, and the number of its ticket if that is good there."""
    departments = caller.house.departments
    named = asked.department if departments else ""
    route = Route(
        _department(caller, frame, me, named),
        priority=me.identity.priority,
        last_waiter=_last_waiter(me),
        stays=not named,
    )
    place = None
    if isinstance(asked.ticket, str):
        place = caller.house.tokens.read_ticket(asked.ticket, me.identity.subject)
    if place is None:
        return route, None
    number, department = place
    if named and not departments.leads(named, department):
        return route, None  # it asks for another department than when it got the ticket
    return route._replace(department=department, asked=named or department), number


def _department(caller: Caller, frame: frames.ClientFrame, me: Participant, named: str) -> str:
    """The key of the department that *me* has *named*, or else that of its token."""
    identity = me.identity
    usual = identity.departments[0].department if identity.departments else ""
    found = caller.house.departments.get(named or usual)
    if named and found is None:
        what = f"payload.department: there is no department {named}"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
    is_known_to_desk = me.phase is not Phase.IDLE  # perhaps since before a change
    if found is not None and not found.is_enabled and not is_known_to_desk:
        what = f"payload.department: {found.key} takes no visitors"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id)
    return found.key if found is not None else ""


def _last_waiter(me: Participant) -> str:
    """The subject of the waiter who served *me* last; empty: nobody did, as far as is known."""
    return me.former.to.identity.subject if me.former is not None else me.last_waiter


# ---- with what ---------------------------------------------------------------


def _question(me: Participant) -> str | None:
    """The question that was filled in; None: there is none."""
    found = filled_in(me.fields).get(QUESTION)
    return found if isinstance(found, str) else None


def _fields(
    caller: Caller, frame: frames.ClientFrame, asked: frames.ConnectPayload, route: Route
) -> str | None:
    """What the visitor has filled in, as it is stored; None: its client has no form.

    Where the site declares no fields, clients may send what they like. Raises `Refusal`.
    """
    declared = caller.house.settings.fields
    if not declared or not isinstance(asked.fields, dict):
        return None
    try:
        return checked(declared, asked.fields, route.asked or route.department)
    except Unfit as error:
        raise Refusal(ErrorCode.INVALID_MESSAGE, str(error), frame.reply_id) from None
