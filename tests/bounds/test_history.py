"""The past as a load: one frame, or one participant, gets so much of it and no more."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.bounds import QUESTIONS, RESUME, TABS
from services.conversation.kinds import TEXT, Side
from services.conversation.rows import ConversationRow, public_id
from services.history.opening import open_store
from services.history.port import Batch
from testkit import Client, LiveServer, assert_receives

CHATS, TEXTS = 100, 25
KEYS = [0xABC << 28 | number for number in range(CHATS)]
READ = [0xABD << 28 | number for number in range(CHATS)]
#: each reads as much as a participant may
PAST = {"ann": KEYS, "zoe": READ}
BODY = "x" * 4000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Ann has had a hundred long conversations, and so has Zoe."""
    folder: Path = tmp_path_factory.mktemp("past")
    url = f"sqlite:///{folder}/chat.db"
    with closing(open_store(url)) as store:
        store.migrate()
        for sub, keys in PAST.items():
            chats = [ConversationRow(key, f"uuid-{key}", sub, opened=1, ended=2) for key in keys]
            rows = [
                (key, seq, Side.USER, sub, None, TEXT.number, BODY, 1, None)
                for key in keys
                for seq in range(1, TEXTS + 1)
            ]
            store.commit(Batch(chats, entries=rows))
    settings = {"CSAPP_DATABASE_URL": url, "CSAPP_MESSAGE_RATE": "0"}
    with LiveServer.gunicorn(env=settings) as server:
        yield server


def resume(server: LiveServer, sub: str, asked: dict[str, int]) -> tuple[Client, list[dict]]:
    """A tab of *sub* that shows what it has seen; all that it is answered."""
    tab = Client(server, "user")
    token = server.token("user", sub)
    tab.say("auth", {"token": token, "version": 2, "resume": asked})
    while tab.receive()["type"] != "auth_success":
        pass  # another tab is here: its UUID comes first
    return tab, [tab.receive() for _ in asked]


def test_all_that_one_frame_resumes_has_a_budget(server):
    tab, heard = resume(server, "ann", {public_id(key): 0 for key in KEYS})
    assert {one["type"] for one in heard} == {"message_history"}
    assert sum(len(json.dumps(one)) for one in heard) < 1.5 * RESUME
    payloads = [one["payload"] for one in heard]
    assert payloads[0]["complete"]
    assert [one["seq"] for one in payloads[0]["messages"]] == [*range(1, TEXTS + 1)]
    assert (payloads[-1]["messages"], payloads[-1]["complete"]) == ([], False)
    assert all(one["last_seq"] == TEXTS for one in payloads)
    tab.say("get_history", {"conversation": public_id(KEYS[-1])})
    page = assert_receives(tab, "message_history", complete=True)["payload"]["messages"]
    assert len(page) == TEXTS, "what was left out can be asked for"
    tab.leave()


def test_one_conversation_has_one_name(server):
    name = public_id(KEYS[0])
    names = [f"0x{name}", f"0{name}", f" {name}", f"{name} ", f"+{name}", name.upper(), f"1_{name}"]
    tab, heard = resume(server, "ann", dict.fromkeys([*names, name], 0))
    kinds = [one["type"] for one in heard]
    assert kinds == ["error"] * len(names) + ["message_history"]
    assert {one["payload"]["code"] for one in heard[:-1]} == {"forbidden"}
    tab.leave()


def test_a_page_is_no_longer_than_a_reader_may_be_behind(server):
    tab, _ = resume(server, "ann", {})
    tab.say("get_history", {"conversation": public_id(KEYS[1]), "limit": 200})
    assert_receives(tab, "message_history", complete=True)
    tab.leave()


def test_a_participant_has_so_many_questions_over_all_its_connections(server):
    tabs = [resume(server, "bob", {})[0] for _ in range(3)]
    each = int(QUESTIONS.at_once) // 3 + 10
    begun = time.monotonic()
    for tab in tabs:
        for _ in range(each):
            tab.say("get_history", {"conversation": "1"})
    codes = [assert_receives(tab, "error")["payload"]["code"] for tab in tabs for _ in range(each)]
    assert codes == ["forbidden"] * (3 * each), "nobody is refused: the answers come later"
    most = QUESTIONS.at_once + QUESTIONS.a_second * (time.monotonic() - begun)
    assert len(codes) <= most, "the rate is what it says, however quick the machine is"
    other, heard = resume(server, "cid", {public_id(KEYS[0]): 0})
    assert heard[0]["payload"]["code"] == "forbidden", "others may ask"
    for tab in (*tabs, other):
        tab.leave()


def test_whoever_reads_a_long_history_page_by_page_reads_all_of_it(server):
    """More than the 8 MiB that a participant may have at once, and no page is empty."""
    tab, _ = resume(server, "zoe", {})
    for name in [public_id(key) for key in READ]:
        read = 0
        while read < TEXTS:
            tab.say("get_history", {"conversation": name, "after": read, "limit": 200})
            page = assert_receives(tab, "message_history")["payload"]
            assert [one["seq"] for one in page["messages"]][:1] == [read + 1]
            read = page["messages"][-1]["seq"]
        assert page["complete"]
    tab.leave()


def test_a_participant_has_so_many_tabs(server):
    tabs = [resume(server, "dee", {})[0] for _ in range(TABS)]
    one_more = Client(server, "user")
    one_more.auth(server.token("user", "dee"))
    assert one_more.closed() == 1013
    resume(server, "eve", {})[0].leave()
    tabs.pop().leave()
    server.wait_for_line("disconnect role=user code=1000")
    tabs.append(resume(server, "dee", {})[0])
    for tab in tabs:
        tab.leave()
