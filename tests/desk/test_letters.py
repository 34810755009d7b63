"""Letters of the desk: named fields, and what workers of the release before write and read."""

from __future__ import annotations

import json

import msgspec
import pytest

from services.desk import former_letters, letters
from services.desk.events import (
    KINDS,
    Decision,
    Departed,
    Event,
    Known,
    Matched,
    Moved,
    OnDuty,
    Parted,
    Queued,
    Reason,
    Role,
    Withdrawn,
)
from services.desk.redis import RedisDesk
from testkit.redis import RedisServer

from .helpers import Clock, users_arrive, waiters_get_ready
from .office import Office

ANN = '["Ann","user","ann","Ann A.","a b","/ann.png"]'
WANDA = '["Wanda","waiter","wanda","","",""]'
TALK = 1234567890123456789

#: as workers of the release before wrote them, and what they meant
FORMER = [
    (
        f'["M",7,true,"Ann","Wanda","1500000","{TALK}",[{ANN},{WANDA}]]',
        Matched("Ann", "Wanda", 1.5, TALK, number=7),
    ),
    ('["M",7,false,"Ann","Wanda","0","",[]]', Matched("Ann", "Wanda", number=7, is_recorder=False)),
    ('["Q",8,true,"Ann",3,"-1795765432123456",{}]', Queued("Ann", 3, -1795765432123456, number=8)),
    (
        f'["P",9,true,"Ann","Wanda","Wanda",true,"{TALK}","lost",[{ANN}]]',
        Parted("Ann", "Wanda", "Wanda", Reason.LOST, True, TALK, number=9),
    ),
    (
        '["P",9,true,"Ann","Wanda","Ann",false,"","",[]]',
        Parted("Ann", "Wanda", "Ann", Reason.UNKNOWN, number=9),
    ),
    ('["D",10,true,"Ann","","left",[]]', Departed("Ann", Reason.LEFT, number=10)),
    (f'["V",11,true,"Ann",[{ANN}]]', Moved("Ann", number=11)),
    ('["W",12,true,"Ann",[]]', Withdrawn("Ann", number=12)),
    ('["R",13,true,"Wanda",true,"5",[]]', OnDuty("Wanda", True, 5, number=13)),
    ('["R",13,true,"Wanda",false,"",[]]', OnDuty("Wanda", False, 0, number=13)),
]


def whole(event: Event) -> dict[str, object]:
    """All of an event, but for whom it is about."""
    return {
        name: value for name, value in msgspec.structs.asdict(event).items() if name != "people"
    }


@pytest.mark.parametrize(("former", "event"), FORMER, ids=[former for former, _ in FORMER])
def test_a_letter_of_the_release_before_is_read(former: str, event: Event) -> None:
    (found,) = letters.events(f"[{former}]".encode())
    assert (type(found), whole(found)) == (type(event), whole(event))
    about = (
        Known("Ann", Role.USER, "ann", "Ann A.", ("a", "b"), "/ann.png"),
        Known("Wanda", Role.WAITER, "wanda", ""),
    )
    assert found.people == tuple(one for one in about if f'["{one.uuid}","' in former)


#: fields that events have got since: workers of the release before are not sent them
SINCE = {
    "withdrawn": {"talk"},
    "matched": {"department", "page", "fields", "begun", "language"},
    "queued": {"department"},
    "departed": {"asked"},
    "on_duty": {"by_desk"},
}


def test_each_event_has_a_former_shape_with_all_of_its_fields() -> None:
    assert {*former_letters.SHAPES} == {*KINDS}
    for kind, (_, *names) in former_letters.SHAPES.items():
        declared = {*KINDS[kind].__struct_encode_fields__} - {*Decision.__struct_fields__}
        assert {*names} == declared - SINCE.get(kind, set())


def test_events_of_a_letter_are_read_by_their_names() -> None:
    event = {
        "event": "matched", "number": 7, "user": "Ann", "waiter": "Wanda", "waited": 0,
        "talk": str(TALK), "from_a_later_release": 1,
        "people": [{"uuid": "Ann", "role": "user", "subject": "ann", "name": "", "workers": ["a"]}],
    }  # fmt: skip
    (found,) = letters.events(letters.pack([event]))
    assert whole(found) == whole(Matched("Ann", "Wanda", 0.0, TALK, number=7))
    assert found.people == (Known("Ann", Role.USER, "ann", "", ("a",)),)


def letters_to(office: Office, desk: RedisDesk) -> list[bytes]:
    """What is in the mailbox of *desk*, as it is."""
    found = [entry[b"b"] for _, entry in office.client.xrange(f"{desk.prefix}box:{desk.worker}")]
    return [letter for letter in found if letter]


def live(old: RedisDesk, new: RedisDesk) -> None:
    """Each event that one worker hears of another's calls."""
    waiters_get_ready(old, "Wanda")
    old.arrive(Role.USER, "ann", "Ann", "Ann A.", avatar="/ann.png")
    new.arrive(Role.USER, "ann", "Ann", "Ann A.", avatar="/ann.png")  # moved
    new.connect("Ann", conversation=TALK)  # matched
    new.arrive(Role.WAITER, "subject of Wanda", "Wanda")
    new.unready("Wanda", 3)  # on duty
    new.part("Ann", "Wanda", "Wanda")
    new.connect("Ann", conversation=TALK)  # queued
    new.withdraw("Ann")
    new.drop("Ann")
    old.drop("Ann")
    new.leave("Ann")  # departed: sent to the worker that was the last to have a connection


def test_who_does_not_say_that_it_reads_names_gets_former_letters(office: Office) -> None:
    old, new = office.hire("old"), office.hire("new")
    office.client.hdel(f"{old.prefix}desk", "reads:old")  # as workers of the release before
    live(old, new)
    found = [json.loads(letter) for letter in letters_to(office, old)]
    first = found[0][0]
    assert first[0] == "V"
    assert first[3:] == ["Ann", [["Ann", "user", "ann", "Ann A.", "old new", "/ann.png"]]]
    events = [event for letter in found for event in letter]
    assert {event[0] for event in events} == {"V", "M", "R", "P", "Q", "W", "D"}
    matched = next(event for event in events if event[0] == "M")
    assert matched[2:7] == [True, "Ann", "Wanda", "0", str(TALK)]
    assert next(event for event in events if event[0] == "R")[3:6] == ["Wanda", False, 3]
    parted = next(event for event in events if event[0] == "P")
    assert parted[3:9] == ["Ann", "Wanda", "Wanda", False, str(TALK), "ended"]
    queued = next(event for event in events if event[0] == "Q")
    assert queued[3:5] == ["Ann", 0]
    assert int(queued[5]) > 0
    assert next(event for event in events if event[0] == "D")[3:6] == ["Ann", "", "left"]


def test_who_reads_names_gets_no_former_letter(office: Office) -> None:
    a, b = office.hire("a"), office.hire("b")
    live(a, b)
    found = letters_to(office, a)
    assert not any(map(former_letters.is_former, found))
    kinds = {type(event) for letter in found for event in letters.events(letter)}
    assert kinds == {*KINDS.values()}


def test_both_are_heard_as_the_same(redis_server: RedisServer, clock: Clock) -> None:
    decoded = []
    for form in ("named", "former"):
        office = Office(redis_server.url, clock)
        a, b = office.hire("a"), office.hire("b")
        if form == "former":
            office.client.hdel(f"{a.prefix}desk", "reads:a")
        users_arrive(a, "Ann")
        b.arrive(Role.USER, "subject of Ann", "Ann", "Ann")
        b.connect("Ann", conversation=TALK)
        clock.passes(1.5)
        waiters_get_ready(b, "Wanda")
        b.part("Ann", "Wanda", "Wanda")
        assert {former_letters.is_former(one) for one in letters_to(office, a)} == {
            form == "former"
        }
        decoded.append([(type(event), msgspec.structs.asdict(event)) for event in office.hears(a)])
        office.close()
        clock.passes(-1.5)
    assert decoded[0] == decoded[1]
    assert [kind for kind, _ in decoded[0]] == [Moved, Queued, Matched, Parted]
