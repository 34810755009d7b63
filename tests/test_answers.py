"""Whether the desk is told of a waiter's first entry, when, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from services.answers import Answers
from services.channels import Channel
from services.conversation.conversation import Conversation
from services.conversation.rows import ConversationRow
from services.desk.port import DeskUnavailable, Role
from services.identity import Identity
from services.participants import Participant
from services.roster import join


class Desk:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_there = True

    def answered(self, user: str) -> None:
        if not self.is_there:
            raise DeskUnavailable("no Redis")
        self.told.append(user)


class Service:
    """Ada serves Ann; the desk is elsewhere, and *waiting* are the calls that wait for it."""

    def __init__(self, within: float) -> None:
        self.desk: Any = Desk()
        self.waiting: list[Any] = []
        self.carried_out = 0
        self.answers = Answers(self.desk, self.carry_out, lambda: bool(within), self.spawn)
        self.ann = Participant("ann", Role.USER, Identity("ann"))
        self.ada = Participant("ada", Role.WAITER, Identity("ada"))
        self.conversation = Conversation(ConversationRow(1, "ann", "ann"))
        self.to_ada, self.to_ann = join(self.ann, self.ada, self.conversation)

    def carry_out(self) -> None:
        self.carried_out += 1

    def spawn(self, function: Any, channel: Channel) -> None:
        self.waiting.append(lambda: function(channel))

    def writes(self) -> None:
        """As `Session.relay` does it."""
        if self.to_ann.is_unanswered:
            self.answers.begin(self.to_ann)

    def wait(self) -> None:
        while self.waiting:
            self.waiting.pop()()


@pytest.fixture
def service() -> Service:
    return Service(60)


def test_the_desk_is_told_once_and_not_waited_for(service):
    assert not service.to_ada.is_unanswered, "what visitors write is no answer"
    service.writes()
    assert service.desk.told == []
    service.writes()
    service.wait()
    assert (service.desk.told, service.carried_out) == (["ann"], 1)


def test_without_a_time_it_is_not_told():
    service = Service(0)
    service.writes()
    assert (service.waiting, service.to_ann.is_unanswered) == ([], False)


def test_the_next_entry_tells_a_desk_that_could_not_be_reached(service):
    service.desk.is_there = False
    service.writes()
    service.wait()
    service.desk.is_there = True
    assert service.desk.told == []
    service.writes()
    service.wait()
    assert service.desk.told == ["ann"]


def test_the_next_waiter_has_to_answer_by_itself(service):
    service.writes()
    service.ada.channels.pop("ann")
    _, to_ann = join(service.ann, Participant("eve", Role.WAITER, Identity("eve")),
                     service.conversation)  # fmt: skip
    service.wait()
    assert service.desk.told == []
    assert to_ann.is_unanswered
