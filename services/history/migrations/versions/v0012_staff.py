"""Notes become the first kind of entry that waiters alone read, with numbers of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_NUMBER = (
    "UPDATE note SET ordinal = numbered.ordinal FROM (SELECT n AS key,"
    " row_number() OVER (PARTITION BY chat ORDER BY n) AS ordinal FROM note) AS numbered"
    " WHERE numbered.key = note.n"
)
#: a note stood beside its conversation, with a date and no place in it
_PLACE = (
    "UPDATE note SET after = coalesce((SELECT message.seq FROM message"
    " WHERE message.chat = note.chat AND message.date <= note.date"
    " ORDER BY message.seq DESC LIMIT 1), 0)"
)


def upgrade() -> None:
    for name, kind, default in (
        ("ordinal", sa.Integer, "0"), ("after", sa.Integer, "0"), ("kind", sa.SmallInteger, "4"),
    ):  # fmt: skip
        op.add_column("note", sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("note", sa.Column("client_id", sa.Text))
    op.add_column("note", sa.Column("data", sa.Text))
    op.execute(_NUMBER)
    op.execute(_PLACE)
    op.create_index("note_ordinal", "note", ["chat", "ordinal"], unique=True)
    op.create_index(
        "note_client_id", "note", ["chat", "author", "client_id"], unique=True,
        sqlite_where=sa.text("client_id IS NOT NULL"),
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )  # fmt: skip
    op.drop_index("note_chat", "note")


def downgrade() -> None:
    op.create_index("note_chat", "note", ["chat", "n"])
    op.drop_index("note_client_id", "note")
    op.drop_index("note_ordinal", "note")
    for name in ("data", "client_id", "kind", "after", "ordinal"):
        op.drop_column("note", name)
