"""Indexes by which a search finds ratings, and in SQLite the beginnings of words.

The index of words is made anew: servers fill it in the background, and until then a search
reads the texts that are not in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

_OPTIONS = "body, content='', columnsize=0, tokenize='unicode61'"


def upgrade() -> None:
    is_rating = sa.text("kind = 3")
    op.create_index(
        "message_rating",
        "message",
        ["chat", "seq"],
        sqlite_where=is_rating,
        postgresql_where=is_rating,
    )
    _make_words(f"{_OPTIONS}, prefix='2 3'")


def downgrade() -> None:
    op.drop_index("message_rating", "message")
    _make_words(_OPTIONS)


def _make_words(options: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("message_words")
        op.execute(f"CREATE VIRTUAL TABLE message_words USING fts5({options})")
        op.execute("UPDATE message_words_done SET n = 0")
