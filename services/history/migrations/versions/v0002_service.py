"""Who has served in which chat: a waiter reads on where others have taken over."""

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


def downgrade() -> None:
    op.create_index("chat_waiter", "chat", ["waiter_subject", "key"])
    op.drop_table("service")
