"""Chats, messages, duties, notes, accounts, revocations, and what search needs."""

from __future__ import annotations

from alembic import op

from services.history import tables

revision = "0001"
down_revision = None

#: the tables of this revision; later ones must not change what it made
TABLES = ("chat", "message", "duty", "note", "account", "revoked")


def upgrade() -> None:
    connection = op.get_bind()
    for name in TABLES:
        tables.metadata.tables[name].create(connection)
    if connection.dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE message_words USING fts5("
            "body, content='message', content_rowid='n', tokenize='unicode61')"
        )
        op.execute("CREATE TABLE message_words_done (n INTEGER NOT NULL)")
        op.execute("INSERT INTO message_words_done VALUES (0)")
    else:
        op.execute("CREATE INDEX message_words ON message USING gin (to_tsvector('simple', body))")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.execute("DROP TABLE message_words")
        op.execute("DROP TABLE message_words_done")
    for name in reversed(TABLES):
        tables.metadata.tables[name].drop(connection)
