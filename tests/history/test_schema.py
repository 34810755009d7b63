"""The host's own PostgreSQL, with Flask-Migrate, and the chat in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.history.opening import open_store
from services.history.port import StoreError
from services.history.postgres import SCHEMA, PostgresStore
from services.history.sql import SQLStore
from testkit import Client, LiveServer, assert_receives
from testkit.postgres import Postgres
from testkit.server import SECRET

from .. import forks
from .conftest import texts

HOST = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from csapp import CSApp
app = Flask("shop")
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["CSAPP_DATABASE_URL"]
app.config.update((k, v) for k, v in os.environ.items() if k.startswith("CSAPP_"))
db = SQLAlchemy(app)
class Message(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    body = db.Column(db.String(140))
class Account(db.Model):
    id = db.Column(db.Integer, primary_key=True)
Migrate(app, db)
CSApp(app, url_prefix="/support")
"""


class Host:
    """A shop with tables of its own, two of them called like ours, and Flask-Migrate."""

    def __init__(self, folder: Path, url: str) -> None:
        (folder / "shop.py").write_text(HOST)
        self.folder = folder
        self.env = {"CSAPP_DATABASE_URL": url, "CSAPP_SECRET_KEY": SECRET}

    def flask(self, *words: str) -> str:
        """What a command says."""
        done = forks.run("flask", "--app", "shop", *words, cwd=self.folder, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def upgrade(self) -> None:
        """As its developer does it: from the models to the database."""
        if not (self.folder / "migrations").exists():
            self.flask("db", "init")
            self.flask("db", "migrate", "-m", "first")
        self.flask("db", "upgrade")


@pytest.fixture
def url(postgres: Postgres) -> str:
    """An empty database, by a role that is called `csapp` and may do everything."""
    return postgres.database()


@pytest.fixture
def url_of_owner(postgres: Postgres) -> str:
    """An empty database, by an ordinary role that owns it."""
    made = postgres.database()
    name = made.rpartition("/")[2]
    postgres.execute(f'CREATE ROLE "host_{name}" LOGIN')
    postgres.execute(f'ALTER DATABASE "{name}" OWNER TO "host_{name}"')
    return made.replace("csapp@", f"host_{name}@")


def tables_of(url: str) -> dict[str, set[str]]:
    """The tables by their schemas."""
    engine = sa.create_engine(url)
    found: dict[str, set[str]] = {}
    with engine.connect() as connection:
        for schema, name in connection.exec_driver_sql(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information)'"
        ):
            found.setdefault(schema, set()).add(name)
    engine.dispose()
    return found


@pytest.mark.parametrize(("first", "role"), [("host", "url_of_owner"), ("chat", "url")])
def test_the_hosts_migrations_and_ours_in_either_order(tmp_path, request, first, role):
    url = request.getfixturevalue(role)
    host = Host(tmp_path, url)
    if first == "host":
        host.upgrade()
        host.flask("chat", "migrate")
    else:
        host.flask("chat", "migrate")
        host.upgrade()
    host.upgrade()
    found = tables_of(url)
    assert found.keys() == {"public", SCHEMA}
    assert found["public"] == {"message", "account", "alembic_version"}
    assert {"message", "account", "chat", "alembic_version"} <= found[SCHEMA]
    # what Flask-Migrate would make of the difference: nothing
    host.flask("db", "check")
    said = host.flask("db", "migrate", "-m", "again")
    assert "No changes in schema detected" in said


def test_a_chat_in_the_hosts_database(tmp_path, url):
    host = Host(tmp_path, url)
    host.upgrade()
    host.flask("chat", "migrate")
    with (
        LiveServer.gunicorn("shop:app", host.env, prefix="/support", cwd=tmp_path) as server,
        Client.waiter(server, "ada") as ada,
        Client.user(server, "ann") as ann,
    ):
        ada.ready()
        ann.say("connect")
        assert_receives(ann, "connect_success", uuid=ada.uuid)
        assert_receives(ada, "new_connection", uuid=ann.uuid)
        ann.text("hello")
        assert_receives(ada, "message_text", message="hello")
    assert "hello" in host.flask("chat", "search", "hello")


# ---- where version 0.1 has made them ---------------------------------------


@pytest.fixture
def older(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with tables and a conversation in `public`, as version 0.1 has left it."""
    with monkeypatch.context() as patch:
        patch.setattr("services.history.schema._TARGET", "0003")
        with closing(open_store(f"{url}?options=-csearch_path%3Dpublic")) as store:
            store.migrate()
            with store.engine.begin() as connection:
                connection.exec_driver_sql(
                    """INSERT INTO chat (key, "user", user_subject, opened)
                    VALUES (7, 'uuid', 'ann', 1)"""
                )
                connection.exec_driver_sql(
                    """INSERT INTO message (chat, seq, side, author, kind, body, date)
                    VALUES (7, 1, 1, 'ann', 1, 'hello', 3)"""
                )
    assert tables_of(url).keys() == {"public"}
    return url


@pytest.fixture
def store(older: str) -> Iterator[SQLStore]:
    with closing(open_store(older)) as store:
        yield store


def assert_all_is_there(store: SQLStore) -> None:
    """What was said before, and what is said now."""
    store.check()
    assert [one.body for one in store.entries(7)] == ["hello"]
    store.commit(texts(8, 1, 2))
    assert len(store.entries(8)) == 2


def test_older_tables_are_found_and_stay_where_they_are(older, store):
    with pytest.raises(StoreError, match=r"0003.*chat migrate"):
        store.check()
    store.migrate()
    assert_all_is_there(store)
    assert tables_of(older).keys() == {"public"}, "workers of before go on"
    with store.engine.connect() as connection:
        assert isinstance(store, PostgresStore)
        assert store.stray(connection) == "public"


def test_older_tables_move_when_they_are_told_to(older, store):
    assert store.move()
    assert not store.move()
    store.migrate()
    assert_all_is_there(store)
    assert tables_of(older).keys() == {SCHEMA}
    store.commit(texts(9, 1, 1))
    assert store.entries(9)[0].body == "hello"


# ---- what is said otherwise ------------------------------------------------


def test_another_schema(url):
    with closing(open_store(url, schema="talk")) as store:
        store.migrate()
        store.commit(texts(1, 1, 1))
    assert tables_of(url).keys() == {"talk"}
    with closing(open_store(url)) as store, pytest.raises(StoreError, match="empty"):
        store.check()


def test_public_as_before(url):
    with closing(open_store(url, schema="public")) as store:
        store.migrate()
        store.check()
    assert tables_of(url).keys() == {"public"}


def test_the_urls_own_search_path_stands(url, postgres):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA ours")
    engine.dispose()
    with closing(open_store(f"{url}?options=-csearch_path%3Dours")) as store:
        store.migrate()
        store.check()
        with pytest.raises(StoreError, match="search_path"):
            store.move()
    assert tables_of(url).keys() == {"ours"}


def test_a_role_that_is_called_like_the_schema_is_told(postgres):
    with (
        closing(open_store(postgres.database(), schema="csapp")) as store,
        pytest.raises(StoreError, match="CSAPP_DATABASE_SCHEMA"),
    ):
        store.migrate()


def test_a_role_that_may_make_no_schema_is_told_what_to_ask_for(postgres):
    made = postgres.database()
    name = made.rpartition("/")[2]
    postgres.execute(f'CREATE ROLE "poor_{name}" LOGIN')
    with closing(open_store(made.replace("csapp@", f"poor_{name}@"))) as store:
        with pytest.raises(StoreError) as error:
            store.migrate()
        said = f'CREATE SCHEMA "{SCHEMA}" AUTHORIZATION "poor_{name}"'
        assert said in str(error.value).replace(f"SCHEMA {SCHEMA}", f'SCHEMA "{SCHEMA}"')
        assert "\n" not in str(error.value)
        postgres.execute(said, name)
        store.migrate()
        store.check()
