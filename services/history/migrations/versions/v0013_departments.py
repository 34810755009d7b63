"""The departments of a site, and which waiters are members of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "department",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("names", sa.Text, nullable=False, server_default="{}"),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("max_queue", sa.Integer, nullable=False, server_default="0"),
        sa.Column("overflow_to", sa.Text),
        sa.Column("overflow_after", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "membership",
        sa.Column("waiter", sa.Text, primary_key=True),
        sa.Column("department", sa.Text, primary_key=True),
        sa.Column("priority", sa.SmallInteger, nullable=False, server_default="0"),
    )


def downgrade() -> None:
    op.drop_table("membership")
    op.drop_table("department")
