"""Who has served in which chat: a waiter reads on where others have taken over.

And the `id` of a message is its sender's own: two waiters of a chat may use the same.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "service",
        sa.Column("waiter", sa.Text, primary_key=True),
        sa.Column("chat", sa.BigInteger, primary_key=True),
    )
    op.execute(
        "INSERT INTO service (waiter, chat) "
        "SELECT waiter_subject, key FROM chat WHERE waiter_subject IS NOT NULL "
        "UNION SELECT author, chat FROM message WHERE side = 2"  # waiters'
    )
    op.create_index("service_chat", "service", ["chat"])
    op.drop_index("chat_waiter", "chat")
    op.drop_index("message_client_id", "message")
    _index("chat", "side", "author", "client_id")


def downgrade() -> None:
    op.drop_index("message_client_id", "message")
    _index("chat", "side", "client_id")
    op.create_index("chat_waiter", "chat", ["waiter_subject", "key"])
    op.drop_table("service")


def _index(*columns: str) -> None:
    some = sa.text("client_id IS NOT NULL")
    op.create_index(
        "message_client_id", "message", columns, unique=True, sqlite_where=some,
        postgresql_where=some,
    )  # fmt: skip
