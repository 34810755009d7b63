"""What one `connect` of a user asks for: where it wants to be served, and with what question."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from ..desk.port import Route
from ..history.tags import canonical_tag
from ..offline import Offline, Reason, offline
from ..origin import shown_page
from ..participants import Participant, Phase
from ..prechat import NOT_HELD, QUESTION, UnfitField, checked, filled_in
from ..wire import frames
from ..wire.codes import ErrorCode, Refusal
from .caller import Caller

#: characters that waiters see of what somebody in the queue wants to ask
MAX_QUESTION = 300

#: characters of what visitors have filled in that the desk holds; what is longer is read from the
#: history
MAX_HELD = 2000

_NOTHING = frames.ConnectPayload()


class Wish(NamedTuple):
    """What a user asks the desk for."""

    route: Route
    #: of an earlier position
    ticket: int | None
    question: str | None
    #: what it has filled in, unless that is too long for the desk
    fields: str


class TurnedAway(NamedTuple):
    """A user is not let in where it asks."""

    why: Offline
    #: the department that it has asked for
    department: str


def read_wish(
    caller: Caller, frame: frames.Connect | frames.Connect2, me: Participant
) -> Wish | TurnedAway:
    """What *frame* asks for, or why nobody is let in there now.

    *me* remembers its page and what it has filled in. Raises `Refusal` for a department that
    there is not, and for fields that do not fit.
    """
    asked = frame.payload if isinstance(frame, frames.Connect2) else None
    if asked is not None:
        me.language = canonical_tag(asked.language) or me.language
    route, ticket = _route(caller, frame, me, asked or _NOTHING)
    found = _offline(caller, frame, me, route)
    if found is not None and (
        ticket is None or caller.house.switchboard.desk.is_void(me.uuid, ticket)
    ):
        return TurnedAway(found, route.wanted)
    if asked is None:
        return Wish(route, ticket, None, "")
    fields = _fields(caller, frame, asked, route)
    if fields is not None:
        me.fields = fields
    elif me.phase is Phase.IDLE:
        me.fields = ""  # of the wish before
    label = "" if caller.house.departments.are_there else asked.department
    me.page = label, shown_page(asked.page, caller.house.settings.page)
    words = asked.question if isinstance(asked.question, str) else _question(me)
    question = words[:MAX_QUESTION] if words is not None else None
    return Wish(route, ticket, question, me.fields if len(me.fields) <= MAX_HELD else NOT_HELD)


# ---- where ---------------------------------------------------------------------


def _route(
    caller: Caller, frame: frames.ClientFrame, me: Participant, asked: frames.ConnectPayload
) -> tuple[Route, int | None]:
    """Where *me* wants to be served, and the number of its ticket if that is good there."""
    departments = caller.house.departments
    named = asked.department if departments.are_there else ""
    route = Route(
        department_of(caller, frame, me, named),
        priority=me.identity.priority,
        last_waiter=_last_waiter(me),
        stays=not named,
        language=me.language,
    )
    position = None
    if isinstance(asked.ticket, str) and me.phase is not Phase.QUEUED:  # it has its position
        position = caller.house.tokens.read_ticket(asked.ticket, me.identity.subject)
    if position is None:
        return route, None
    number, department = position
    if named and not departments.leads(named, department):
        return route, None  # it asks for another department than when it got the ticket
    return route._replace(department=department, asked=named or department), number


def department_of(caller: Caller, frame: frames.ClientFrame, me: Participant, named: str) -> str:
    """The key of the department that *me* has *named*, or else that of its token.

    Raises `Refusal`: there is no such department.
    """
    identity = me.identity
    usual = identity.departments[0].department if identity.departments else ""
    found = caller.house.departments.get(named or usual)
    if named and found is None:
        what = f"payload.department: there is no department {named}"
        raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id, is_bad=False)
    return found.key if found is not None else ""


def _offline(
    caller: Caller, frame: frames.ClientFrame, me: Participant, route: Route
) -> Offline | None:
    """Why *me* is not let in where it asks; None: it is, or it is there already.

    Raises `Refusal` where it waits in another department, and goes on waiting there.
    """
    if me.phase is Phase.SERVED or (me.phase is Phase.QUEUED and route.stays):
        return None
    house, desk = caller.house, caller.house.switchboard.desk
    found = offline(house.settings.offline, house.departments, route.department, desk.figures)
    if found is None:
        return None
    if found.reason is Reason.NOBODY and caller.feed.dialect.version == 1:
        return None  # it waits in line
    if me.phase is Phase.QUEUED:
        with contextlib.suppress(KeyError):  # it has left the queue just now
            present, named = desk.department(me.uuid), route.department
            if me.asked == named or (me.asked is None and house.departments.leads(named, present)):
                return None  # it has come before
            what = f"payload.department: {route.department} takes nobody now"
            raise Refusal(ErrorCode.INVALID_MESSAGE, what, frame.reply_id, is_bad=False)
    return found


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
        return checked(declared, asked.fields, route.wanted)
    except UnfitField as error:
        raise Refusal(ErrorCode.INVALID_MESSAGE, str(error), frame.reply_id, is_bad=False) from None
