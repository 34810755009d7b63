"""The checker: finds what is there, and nothing where there is nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from testkit.checker import Conversation, Truth, check, count, story
from testkit.eager import EagerManners
from testkit.journal import (
    Acknowledged,
    Closed,
    Entered,
    Event,
    Item,
    Journal,
    Left,
    Opened,
    Page,
    Refused,
    Seen,
    Sent,
)
from testkit.v2 import Frame

from .chaos.model import Bug
from .chaos.rehearsal import Rehearsal

ANN, WIM = "ann#1", "wim#1"


def row(seq: int, sender: str = "ann", text: str = "", client_id: str | None = None) -> Item:
    """Message *seq*: by default what ann sent as `a<seq>`."""
    if client_id is None and sender == "ann":
        client_id = f"a{seq}"
    return Item(seq, sender, text or f"text {seq}", client_id)


def holds(*items: Item, **options: object) -> Truth:
    """The history of ann and wim."""
    return {"c": Conversation(frozenset({"ann", "wim"}), items, **options)}  # type: ignore[arg-type]


def there(socket: str, resume: int | None = None, version: int = 2) -> list[Event]:
    """A socket opens and enters."""
    sub = socket.split("#", maxsplit=1)[0]
    events: list[Event] = [Opened(socket, sub, version, {} if resume is None else {"c": resume})]
    return [*events, Entered(socket, "c")] if version == 2 else events


def page(socket: str, *items: Item, asked: bool = False) -> Page:
    return Page(socket, "c", items, asked)


def sent(seq: int, socket: str = ANN) -> Sent:
    return Sent(socket, "c", "ann", f"a{seq}", f"text {seq}")


def receipt(seq: int, socket: str = ANN, client_id: str = "") -> Acknowledged:
    return Acknowledged(socket, "c", "ann", client_id or f"a{seq}", seq)


def seen(seq: int, socket: str = WIM, text: str = "", sender: str = "ann") -> Seen:
    return Seen(socket, sender, text or f"text {seq}", "c", seq)


def said(*seqs: int) -> list[Event]:
    """Sent, acknowledged, seen."""
    return [event for seq in seqs for event in (sent(seq), receipt(seq), seen(seq))]


def kinds(events: list[Event], truth: Truth) -> list[str]:
    """The kinds of anomaly, each once."""
    journal = Journal(events)
    found = check(journal, truth)
    for anomaly in found:
        assert anomaly.story in str(anomaly)
        story(journal, anomaly)
    return sorted({anomaly.kind for anomaly in found})


BOTH = [*there(ANN), *there(WIM)]

CLEAN = {
    "nothing": ([], {}),
    "a chat": ([*BOTH, *said(1, 2, 3)], holds(row(1), row(2), row(3))),
    "not acknowledged and lost, sender gone": ([*BOTH, sent(1), Closed(ANN, 1006)], holds()),
    "resent, found by its id": (
        [*BOTH, sent(1), seen(1), Closed(ANN, 1006), *there("ann#2"), page("ann#2"),
         sent(1, "ann#2"), receipt(1, "ann#2")],
        holds(row(1)),
    ),
    "the page showed it, and the repeat's receipt again": (
        [*BOTH, sent(1), seen(1), Closed(ANN, 1006), *there("ann#2"), page("ann#2", row(1)),
         sent(1, "ann#2"), receipt(1, "ann#2")],
        holds(row(1)),
    ),
    "the page showed it, no repeat": (
        [*BOTH, sent(1), seen(1), Closed(ANN, 1006), *there("ann#2"), page("ann#2", row(1))],
        holds(row(1)),
    ),
    "away, and shown on the return": (
        [*BOTH, *said(1), Closed(WIM, 1006), sent(2), receipt(2), *there("wim#2", 1),
         page("wim#2", row(2, client_id=""))],
        holds(row(1), row(2)),
    ),
    "a gap that was asked for": (
        [*BOTH, *said(1), sent(2), receipt(2), sent(3), receipt(3), seen(3),
         page(WIM, row(2, client_id=""), asked=True)],
        holds(row(1), row(2), row(3)),
    ),
    "refused, then taken": (
        [*BOTH, sent(1), Refused(ANN, "ann", "a1", "unavailable"), *said(1)], holds(row(1)),
    ),
    "refused for good": ([*BOTH, sent(1), Refused(ANN, "ann", "a1", "too_large")], holds()),
    "refused, so the next came before it": (
        [*BOTH, sent(2), sent(1), Refused(ANN, "ann", "a2", "unavailable"), receipt(1), seen(1),
         sent(2), receipt(2), seen(2)],
        holds(row(1), row(2)),
    ),
    "an echo on the other device": (
        [*BOTH, *there("ann#b"), *said(1), seen(1, "ann#b")], holds(row(1)),
    ),
    "version 1: no receipts, and a repeat is a new message": (
        [*there(ANN, version=1), *there(WIM, version=1),
         Sent(ANN, "", "ann", "a1", "text 1"), Sent(ANN, "", "ann", "a1", "text 1"),
         Seen(WIM, "ann", "text 1"), Seen(WIM, "ann", "text 1")],
        holds(row(1, client_id=""), Item(2, "ann", "text 1")),
    ),
    "version 1: away for a while": (
        [*BOTH, *there("old#1", version=1), *said(1, 2), Seen("old#1", "ann", "text 2")],
        {"c": Conversation(frozenset({"ann", "wim", "old"}), (row(1), row(2)))},
    ),
    "ended, so nobody is shown it": (
        [*BOTH, *said(1), Closed(WIM, 1006), sent(2), receipt(2), *there("wim#2", 1)],
        holds(row(1), row(2), ended=True),
    ),
    "it has come back for more than a page, and drops before it has asked for the rest": (
        [*BOTH, *said(1), Left(WIM, "c"), sent(2), receipt(2), sent(3), receipt(3),
         Entered(WIM, "c"), Page(WIM, "c", (row(3),), False, complete=False), Closed(WIM, 1006)],
        holds(row(1), row(2), row(3)),
    ),
    "all read the same": (
        [*BOTH, *said(1)], holds(row(1), views={"ann": [row(1)], "wim": [row(1, client_id="")]}),
    ),
}  # fmt: skip

FOUND = {
    "lost: acknowledged and not there": (
        "lost", [*BOTH, *said(1), sent(2), receipt(2)], holds(row(1)),
    ),
    "lost: the other side is there and is not shown it": (
        "lost", [*BOTH, *said(1), sent(2), receipt(2)], holds(row(1), row(2)),
    ),
    "lost: one of two devices is not shown it": (
        "lost", [*BOTH, *there("wim#b"), *said(1)], holds(row(1)),
    ),
    "lost: not on somebody's pages": (
        "lost", [*BOTH, *said(1)], holds(row(1), views={"wim": []}),
    ),
    "doubled: shown twice": ("doubled", [*BOTH, *said(1), seen(1)], holds(row(1))),
    "doubled: shown before it resumed": (
        "doubled",
        [*BOTH, *said(1), Closed(WIM, 1006), *there("wim#2", 1), page("wim#2", row(1))],
        holds(row(1)),
    ),
    "doubled: two receipts for one sending": (
        "doubled", [*BOTH, *said(1), receipt(1)], holds(row(1)),
    ),
    "doubled: an echo to the very socket": (
        "doubled", [*BOTH, sent(1), seen(1), seen(1, ANN), receipt(1)], holds(row(1)),
    ),
    "doubled: one id, two rows": (
        "doubled",
        [*BOTH, *said(1), seen(2, text="text 1"), seen(2, ANN, "text 1")],
        holds(row(1), row(2, text="text 1", client_id="a1")),
    ),
    "doubled: one sending, two rows without id": (
        "doubled",
        [*BOTH, *said(1), seen(2, text="text 1"), seen(2, ANN, "text 1")],
        holds(row(1), Item(2, "ann", "text 1")),
    ),
    "doubled: version 1 too": (
        "doubled",
        [*BOTH, *there("old#1", version=1), *said(1), *[Seen("old#1", "ann", "text 1")] * 2],
        {"c": Conversation(frozenset({"ann", "wim", "old"}), (row(1),))},
    ),
    "reordered: shown backwards": (
        "reordered",
        [*BOTH, sent(1), sent(2), receipt(1), receipt(2), seen(2), seen(1)],
        holds(row(1), row(2)),
    ),
    "reordered: in version 1 too": (
        "reordered",
        [*BOTH, *there("old#1", version=1), *said(1, 2), Seen("old#1", "ann", "text 2"),
         Seen("old#1", "ann", "text 1")],
        {"c": Conversation(frozenset({"ann", "wim", "old"}), (row(1), row(2)))},
    ),
    "reordered: stored in another order than sent": (
        "reordered",
        [*BOTH, sent(2), sent(1), receipt(1), seen(1), receipt(2), seen(2)],
        holds(row(1), row(2)),
    ),
    "skipped: left out": (
        "skipped",
        [*BOTH, sent(1), sent(2), sent(3), receipt(1), receipt(2), receipt(3), seen(1), seen(3),
         page("ann#1", row(2), asked=True), Closed(WIM, 1006), *there("wim#2", 1),
         page("wim#2", row(2, client_id=""), row(3, client_id=""))],
        holds(row(1), row(2), row(3)),
    ),
    "skipped: it does not ask for what a page leaves out": (
        "skipped",
        [*BOTH, *said(1), sent(2), receipt(2), sent(3), receipt(3),
         Page(WIM, "c", (row(3),), False, complete=False)],
        holds(row(1), row(2), row(3)),
    ),
    "skipped: a page leaves out more than it says": (
        "skipped",
        [*BOTH, *said(1), sent(2), receipt(2), sent(3), receipt(3), page(WIM, row(3)),
         Closed(WIM, 1006), *there("wim#2", 1), page("wim#2", row(2), row(3))],
        holds(row(1), row(2), row(3)),
    ),
    "skipped: the history begins at 2": (
        "skipped", [*BOTH, sent(2), receipt(2), seen(2)], holds(row(2)),
    ),
    "leaked: a message to an outsider": (
        "leaked", [*BOTH, *said(1), Opened("eve#1", "eve"), seen(1, "eve#1")], holds(row(1)),
    ),
    "leaked: a page to an outsider": (
        "leaked",
        [*BOTH, *said(1), Opened("eve#1", "eve"), page("eve#1", row(1), asked=True)],
        holds(row(1)),
    ),
    "leaked: in version 1 too": (
        "leaked",
        [*BOTH, *said(1), Opened("eve#1", "eve", 1), Seen("eve#1", "ann", "text 1")],
        holds(row(1)),
    ),
    "unacknowledged: there, and its sender does not know": (
        "unacknowledged",
        [*BOTH, sent(1), seen(1), Closed(ANN, 1006), *there("ann#2", 1)],
        holds(row(1)),
    ),
    "unacknowledged: no answer at all": ("unacknowledged", [*BOTH, sent(1)], holds()),
    "unacknowledged: sent twice, answered once": (
        "unacknowledged", [*BOTH, *said(1), sent(1)], holds(row(1)),
    ),
    "conflict: receipts that are all one too high": (
        "conflict",
        [*BOTH, sent(1), sent(2), sent(3), receipt(2, client_id="a1"), receipt(3, client_id="a2"),
         seen(1), seen(2), seen(3), Closed(ANN, 1006)],
        holds(row(1), row(2), row(3)),
    ),
    "skipped: a receipt ahead of those before it": (
        "skipped",
        [*there(ANN, 0), *there(WIM), sent(1), sent(2), sent(3), receipt(3), Closed(ANN, 1006),
         seen(1), seen(2), seen(3)],
        holds(row(1), row(2), row(3)),
    ),
    "reordered: the receipt of a repeat ahead of what it follows": (
        "reordered",
        [*BOTH, sent(1), sent(2), seen(1), seen(2), Closed(ANN, 1006), *there("ann#2", 0),
         sent(2, "ann#2"), receipt(2, "ann#2"), sent(1, "ann#2"), receipt(1, "ann#2")],
        holds(row(1), row(2)),
    ),
    "doubled: the receipt of a repeat, and then an echo of it": (
        "doubled",
        [*BOTH, sent(1), seen(1), Closed(ANN, 1006), *there("ann#2", 0), sent(1, "ann#2"),
         receipt(1, "ann#2"), seen(1, "ann#2")],
        holds(row(1)),
    ),
    "phantom: seen, not there": (
        "phantom", [*BOTH, sent(1), seen(1), Closed(ANN, 1006)], holds(),
    ),
    "phantom: in version 1 too": (
        "phantom",
        [*there(ANN, version=1), *there(WIM, version=1), sent(1), Seen(WIM, "ann", "text 1")],
        holds(),
    ),
    "conflict: another text": (
        "conflict", [*BOTH, sent(1), receipt(1), seen(1, text="other")], holds(row(1)),
    ),
    "conflict: another sender": (
        "conflict", [*BOTH, sent(1), receipt(1), seen(1, sender="wim")], holds(row(1)),
    ),
    "conflict: two receipts that differ": (
        "conflict",
        [*BOTH, sent(1), receipt(1), seen(1), sent(1), receipt(2, client_id="a1"),
         sent(2), receipt(2), seen(2)],
        holds(row(1), row(2)),
    ),
    "conflict: refused, and yet there": (
        "conflict",
        [*BOTH, sent(1), Refused(ANN, "ann", "a1", "unavailable"), seen(1),
         seen(1, ANN)],
        holds(row(1)),
    ),
    "conflict: another date": (
        "conflict", [*BOTH, sent(1), receipt(1), Seen(WIM, "ann", "text 1", "c", 1, "noon")],
        holds(Item(1, "ann", "text 1", "a1", "one o'clock")),
    ),
    "lost: its number is another's now": (
        "lost", [*BOTH, sent(1), receipt(1), sent(2), receipt(1, client_id="a2")],
        holds(row(1, text="text 2", client_id="a2")),
    ),
    "conflict: never sent": (
        "conflict", [*BOTH, seen(1), seen(1, ANN)], holds(row(1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLEAN)
def test_nothing_is_found_where_all_is_well(case):
    events, truth = CLEAN[case]
    assert not kinds(events, truth)


@pytest.mark.parametrize("case", FOUND)
def test_each_anomaly_is_found(case):
    kind, events, truth = FOUND[case]
    assert kind in kinds(events, truth)


def test_an_anomaly_comes_with_its_figures_and_its_story():
    journal = Journal([*BOTH, *said(1), sent(2), receipt(2)])
    (lost,) = check(journal, holds(row(1)))[:1] or [None]
    assert lost is not None
    assert count([lost])["lost"] == 1
    assert sum(count([lost]).values()) == 1
    assert story(journal, lost)


# ---- a model of the server, and three bugs -----------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "say",
                "say",
                "arrive",
                "arrive",
                "receive",
                "receive",
                "commit",
                "drop",
                "back",
                "crash",
            ]
        ),
        st.integers(0, 3),
    ),
    max_size=60,
)


def played(steps: list[tuple[str, int]], *bugs: Bug) -> Rehearsal:
    """A rehearsal of *steps* after which all is quiet."""
    rehearsal = Rehearsal(*bugs)
    for what, who in steps:
        rehearsal.step(what, who)
    rehearsal.recover()
    return rehearsal


def has_lost(rehearsal: Rehearsal) -> bool:
    """Somebody was given a receipt for what is not there."""
    kept = {
        (row.sender, row.client_id)
        for chat in rehearsal.model.conversations.values()
        for row in chat.rows
    }
    return any(
        (event.sender, event.client_id) not in kept
        for event in rehearsal.journal.events
        if isinstance(event, Acknowledged)
    )


def has_doubled(rehearsal: Rehearsal) -> bool:
    """A message is there twice."""
    rows = [
        (chat.name, row.sender, row.client_id)
        for chat in rehearsal.model.conversations.values()
        for row in chat.rows
    ]
    return len(rows) > len(set(rows))


def has_missed(rehearsal: Rehearsal) -> bool:
    """A device was never shown a message, by anything."""
    for player in rehearsal.players:
        shown: dict[str, set[int]] = {name: set() for name in player.manners.conversations}
        for event in rehearsal.journal.events:
            if not event.socket.startswith(player.manners.name + "#"):
                continue
            if isinstance(event, Seen | Acknowledged):
                shown[event.conversation or ""].add(event.seq or 0)
            elif isinstance(event, Page):
                shown[event.conversation].update(item.seq for item in event.items)
        if any(len(shown[name]) < len(rehearsal.model.conversations[name].rows) for name in shown):
            return True
    return False


def has_shifted(rehearsal: Rehearsal) -> bool:
    """Somebody was given a receipt with the number of something else."""
    kept = {
        (row.sender, row.client_id): row.seq
        for chat in rehearsal.model.conversations.values()
        for row in chat.rows
    }
    return any(
        event.seq != kept[event.sender, event.client_id]
        for event in rehearsal.journal.events
        if isinstance(event, Acknowledged)
    )


def has_turned(rehearsal: Rehearsal) -> bool:
    """A socket was shown a lower number after a higher one, and not because it had asked."""
    last: dict[tuple[str, str], int] = {}
    for event in rehearsal.journal.events:
        if isinstance(event, Seen | Acknowledged):
            place, seq = (event.socket, event.conversation or ""), event.seq or 0
            if seq < last.get(place, 0):
                return True
            last[place] = seq
    return False


BUGS = {
    Bug.RECEIPT_SHIFTED: (has_shifted, {"conflict"}),
    Bug.RECEIPT_OUT_OF_ORDER: (has_turned, {"reordered"}),
    Bug.RECEIPT_BEFORE_COMMIT: (has_lost, {"lost"}),
    Bug.NO_DEDUPE: (has_doubled, {"doubled"}),
    Bug.NO_GAP_REPAIR: (has_missed, {"skipped", "lost"}),
}

#: the shortest way to be bitten by each: ann (1) says something, the line of somebody drops
STORIES = {
    Bug.RECEIPT_SHIFTED: [
        ("say", 1),
        ("say", 1),
        ("arrive", 1),
        ("arrive", 1),
        ("drop", 1),
        ("commit", 0),
    ],
    Bug.RECEIPT_OUT_OF_ORDER: [("say", 1), ("say", 1), ("arrive", 1), ("arrive", 1)],
    Bug.RECEIPT_BEFORE_COMMIT: [("say", 1), ("arrive", 1), ("receive", 1), ("crash", 0)],
    Bug.NO_DEDUPE: [("say", 1), ("arrive", 1), ("drop", 1)],
    Bug.NO_GAP_REPAIR: [("say", 1), ("drop", 0), ("arrive", 1), ("commit", 0)],
}

THOROUGH = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


#: a waiter's message becomes durable before the server knows that it is ready
EARLY = [("drop", 0), ("say", 0), ("back", 0), ("receive", 0), *[("arrive", 0)] * 2, ("commit", 0)]


@given(STEPS)
@example(EARLY)
@THOROUGH
def test_a_correct_server_makes_no_anomaly(steps):
    rehearsal = played(steps)
    assert check(rehearsal.journal, rehearsal.truth) == []
    for player in rehearsal.players:
        assert not player.manners.problems
        assert player.manners.settled


@pytest.mark.parametrize("bug", Bug)
@given(steps=STEPS)
@THOROUGH
def test_whenever_a_bug_bites_the_checker_says_so(bug, steps):
    bites, expected = BUGS[bug]
    rehearsal = played(steps, bug)
    found = {anomaly.kind for anomaly in check(rehearsal.journal, rehearsal.truth)}
    if bites(rehearsal):
        assert found & expected
    elif bug is not Bug.RECEIPT_BEFORE_COMMIT:  # which lies about dates and order in any case
        assert not found


@pytest.mark.parametrize("bug", Bug)
def test_each_bug_does_bite(bug):
    bites, expected = BUGS[bug]
    rehearsal = played(STORIES[bug], bug)
    assert bites(rehearsal)
    found = check(rehearsal.journal, rehearsal.truth)
    assert {anomaly.kind for anomaly in found} & expected


def test_who_has_sent_a_message_twice_is_at_rest_when_both_are_answered():
    """Else the second answer, on its way, would be taken for one that is missing."""
    ann = EagerManners("user", "ann", "a token", Journal())

    def gets(kind: str, payload: Frame, **fields: str) -> list[str]:
        return [one["type"] for one in ann.received({"type": kind, "payload": payload, **fields})]

    ann.opened()
    ann.received({"type": "initialize", "to": "uuid-of-ann"})
    gets("auth_success", {"sub": "ann", "uuid": "uuid-of-ann"}, reply_id="ann/1.1")
    wim = {"conversation": "c1", "uuid": "uuid-of-wim", "last_seq": 0}
    gets("connect_success", wim, reply_id="ann/1.2")
    assert [one["id"] for one in ann.say("hello")] == ["ann/1.3"]
    assert gets("connect_success", wim) == ["message_text"], "again, since its page has not come"
    known = {"seq": 1, "from": "uuid-of-ann", "date": "", "payload": {"message": "hello"}}
    latest = {"messages": [{**known, "client_id": "ann/1.3"}], "complete": True, "state": "open"}
    gets("message_history", {"conversation": "c1", **latest})
    for _ in range(2):
        assert not ann.settled
        receipt = {"seq": 1, "date": ""}
        gets("message_text_success", receipt, conversation="c1", reply_id="ann/1.3")
    assert ann.settled
