"""Messages that visitors leave when nobody serves them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_IS_OPEN = sa.text("answered_at IS NULL AND put_away_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "left_message",
        sa.Column("chat", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("department", sa.Text, nullable=False, server_default=""),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("email", sa.Text, nullable=False, server_default=""),
        sa.Column("language", sa.Text, nullable=False, server_default=""),
        sa.Column("left", sa.BigInteger, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_name", sa.Text, nullable=False, server_default=""),
        sa.Column("claimed_at", sa.BigInteger),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("put_away_at", sa.BigInteger),
        sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("answered", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("left_message_subject", "left_message", ["subject", "client_id"], unique=True)
    op.create_index(
        "left_message_open", "left_message", ["department", "chat"],
        sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN,
    )  # fmt: skip
    op.create_index("left_message_changed", "left_message", ["changed"])


def downgrade() -> None:
    op.drop_table("left_message")
