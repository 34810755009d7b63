"""A store belongs to one application; another one is told whose it is."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.history.opening import open_store, own_store, prepare
from services.history.owner import Owner
from services.history.port import Foreign, StoreError
from services.settings import Settings

SHOP, BLOG = Owner("shop", "/srv/shop/instance"), Owner("blog", "/srv/blog/instance")


def test_the_first_application_keeps_it_and_the_second_is_told(opened):
    opened().migrate()
    opened(owner=SHOP).prepare()
    for call in ("prepare", "migrate", "refuse_foreign"):
        with pytest.raises(Foreign) as error:
            getattr(opened(owner=BLOG), call)()
        told = str(error.value)
        assert "'shop' (/srv/shop/instance)" in told
        assert "'blog' (/srv/blog/instance)" in told
        assert "CSAPP_AUDIENCE=shop" in told
        assert "\n" not in told
    opened(owner=SHOP).prepare()
    opened(owner=Owner("shop", BLOG.instance)).prepare()  # as the refusal says


def test_migrating_claims_as_well(opened):
    opened(owner=SHOP).migrate()
    with pytest.raises(Foreign):
        opened(owner=BLOG).prepare()


def test_an_application_that_moves_is_the_same(opened, caplog):
    opened(owner=SHOP).migrate()
    with caplog.at_level(logging.WARNING, "csapp"):
        opened(owner=SHOP).prepare()
        assert not caplog.messages
        opened(owner=Owner("shop", "/srv/new")).prepare()
        assert "used from 'shop' (/srv/shop/instance)" in caplog.text
        opened(owner=Owner("shop", "/srv/new")).prepare()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("shop", "shop", True),
        ("shop.app", "app", True),
        ("app", "shop.app", True),
        ("shop.app", "blog.app", False),
        ("workshop", "shop", False),
        ("shop", "blog", False),
    ],
)
def test_how_applications_are_known(one, two, same):
    assert Owner(one).is_same_as(Owner(two)) is same


OF_0003 = (
    """INSERT INTO chat (key, "user", user_subject, opened) VALUES (1, 'u-1', 'ann', 1)""",
    "INSERT INTO message (chat, seq, side, author, kind, body, date) VALUES "
    "(1, 1, 1, 'ann', 1, 'one', 1), (1, 2, 1, 'ann', 1, 'two', 2)",
)


def test_a_store_of_before_is_claimed_with_all_that_is_in_it(opened, monkeypatch):
    store = opened()
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0003")
        store.migrate()
    with store.engine.begin() as connection:  # as that version wrote it
        for insert in OF_0003:
            connection.exec_driver_sql(insert)
    store.close()
    opened(owner=SHOP).migrate()
    assert len(opened(owner=SHOP).entries(1)) == 2
    with pytest.raises(Foreign):
        opened(owner=BLOG).prepare()


# ---- SQLite: where it is ---------------------------------------------------


def settings(folder: Path, application: str, **more: str) -> Settings:
    keys = {"CSAPP_SECRET_KEY": "0123456789abcdef", "CSAPP_AUDIENCE": application, **more}
    return Settings.load(keys, folder)


def opened_by(folder: Path, application: str, **more: str) -> Path:
    """What an application does at its first use; where its database is."""
    own = settings(folder, application, **more)
    with closing(own_store(own)) as store:
        prepare(store, own)
        return Path(store.path)


def test_applications_in_one_folder_do_not_share_a_database(tmp_path):
    assert opened_by(tmp_path / "instance", "shop") == tmp_path / "instance" / "csapp.db"
    assert opened_by(tmp_path / "blog-data", "blog") == tmp_path / "blog-data" / "csapp.db"
    assert opened_by(tmp_path / "wiki-data", "wiki") == tmp_path / "wiki-data" / "csapp.db"


def test_two_applications_with_one_instance_folder_are_told(tmp_path):
    opened_by(tmp_path / "instance", "shop")
    with pytest.raises(Foreign, match=r"'shop'.*'blog'"):
        opened_by(tmp_path / "instance", "blog")


@pytest.fixture
def former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database as csapp 0.1 left it: beside the instance folder, and nobody's."""
    path = tmp_path / "instance" / "csapp.db"
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0003")
        with closing(open_store(f"sqlite:///{path}")) as old:
            old.migrate()
    return path


def test_what_may_be_ones_own_is_neither_lost_nor_taken(tmp_path, former):
    ours = tmp_path / "shop-data" / "csapp.db"
    with pytest.raises(Foreign) as error:
        opened_by(ours.parent, "shop")
    assert str(former) in str(error.value)
    assert f"CSAPP_DATABASE_URL=sqlite:///{former}" in str(error.value)
    assert f"touch {ours}" in str(error.value)
    assert "\n" not in str(error.value)
    assert not ours.exists()


def test_it_goes_on_with_the_former_one_where_it_is_told_to(tmp_path, former):
    there = {"CSAPP_DATABASE_URL": f"sqlite:///{former}"}
    assert opened_by(tmp_path / "shop-data", "shop", **there) == former
    with pytest.raises(Foreign, match="may be in"):  # it is this application's: no empty one
        opened_by(tmp_path / "shop-data", "shop")


def test_it_goes_on_with_the_former_one_where_that_is_moved_to(tmp_path, former):
    ours = tmp_path / "shop-data" / "csapp.db"
    ours.parent.mkdir()
    shutil.move(former, ours)
    assert opened_by(ours.parent, "shop") == ours


def test_it_begins_with_an_empty_one_where_it_is_told_to(tmp_path, former):
    ours = tmp_path / "shop-data" / "csapp.db"
    ours.parent.mkdir()
    ours.touch()
    assert opened_by(ours.parent, "shop") == ours
    assert former.exists()


def test_the_second_of_two_that_shared_a_file_is_told(tmp_path, former, caplog):
    opened_by(tmp_path / "a", "shop", CSAPP_DATABASE_URL=f"sqlite:///{former}")
    with caplog.at_level(logging.WARNING, "csapp"):
        assert opened_by(tmp_path / "b", "blog") == tmp_path / "b" / "csapp.db"
    assert f"{former}, where csapp 0.1 kept the conversations of 'blog'" in caplog.text
    assert "belongs to 'shop'" in caplog.text


def test_a_file_of_something_else_is_left_as_it_is(tmp_path):
    path = tmp_path / "host.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as host:
        host.execute("CREATE TABLE message (id INTEGER, words TEXT)")
    before = path.read_bytes()
    for application in ("", "shop"):
        with pytest.raises(Foreign, match=r"host.db holds tables of something else \(message\)"):
            opened_by(tmp_path, application, CSAPP_DATABASE_URL=f"sqlite:///{path}")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["host.db"]


def test_git_ignores_the_database(tmp_path):
    opened_by(tmp_path / "instance", "shop")
    assert "/csapp.db*" in (tmp_path / "instance" / ".gitignore").read_text().split()
    elsewhere = {"CSAPP_DATABASE_URL": f"sqlite:///{tmp_path}/data/chat.db"}
    opened_by(tmp_path / "instance", "shop", **elsewhere)
    assert not (tmp_path / "data" / ".gitignore").exists()


def test_a_folder_that_cannot_be_written_to_is_said_in_one_line(tmp_path):
    (tmp_path / "instance").write_text("no folder")
    with pytest.raises(StoreError, match=r"csapp.db: .*CSAPP_DATABASE_URL$") as error:
        opened_by(tmp_path / "instance", "shop")
    assert "\n" not in str(error.value)
