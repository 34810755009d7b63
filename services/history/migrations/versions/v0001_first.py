"""Chats, messages, duties, notes, accounts, revocations, and what search needs.

Written out, not taken from `tables.py`: what that says later is the work of
later revisions.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

#: what PostgreSQL indexes of a message: `services/history/search.py` says why
WORDS = (
    "to_tsvector('simple', regexp_replace(left(body, 65536), '(["
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
    "])', ' \\1 ', 'g'))"
)

TABLES = ("chat", "message", "duty", "note", "account", "revoked")

Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "chat",
        sa.Column("key", Number, primary_key=True, autoincrement=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("user_subject", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False, server_default=""),
        sa.Column("waiter", sa.Text),
        sa.Column("waiter_subject", sa.Text),
        sa.Column("waiter_name", sa.Text, nullable=False, server_default=""),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("department", sa.Text, nullable=False, server_default=""),
        sa.Column("page", sa.Text, nullable=False, server_default=""),
        sa.Column("user_read", sa.Integer, nullable=False, server_default="0"),
        sa.Column("waiter_read", sa.Integer, nullable=False, server_default="0"),
        sa.Column("rating", sa.SmallInteger),
        sa.Column("comment", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("chat_user", "chat", ["user_subject", "key"])
    op.create_index("chat_waiter", "chat", ["waiter_subject", "key"])
    op.create_index("chat_open", "chat", ["key"], **_where("ended IS NULL"))
    op.create_table(
        "message",
        sa.Column("n", Number, primary_key=True, autoincrement=True),
        sa.Column("chat", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("side", sa.SmallInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("message_seq", "message", ["chat", "seq"], unique=True)
    op.create_index(
        "message_client_id",
        "message",
        ["chat", "side", "client_id"],
        unique=True,
        **_where("client_id IS NOT NULL"),
    )
    op.create_table(
        "duty",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("uuid", sa.Text, nullable=False),
        sa.Column("ready", sa.Boolean, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
    )
    op.create_table(
        "note",
        sa.Column("n", Number, primary_key=True, autoincrement=True),
        sa.Column("chat", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
    )
    op.create_index("note_chat", "note", ["chat", "n"])
    op.create_table(
        "account",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "revoked",
        sa.Column("n", Number, primary_key=True, autoincrement=True),
        sa.Column("sid", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE message_words USING fts5("
            "body, content='', columnsize=0, tokenize='unicode61')"
        )
        op.execute("CREATE TABLE message_words_done (n INTEGER NOT NULL)")
        op.execute("INSERT INTO message_words_done VALUES (0)")
    else:
        op.execute(f"CREATE INDEX message_words ON message USING gin ({WORDS})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("message_words")
        op.drop_table("message_words_done")
    for name in reversed(TABLES):
        op.drop_table(name)


def _where(condition: str) -> dict[str, Any]:
    """What makes an index a partial one, for both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
