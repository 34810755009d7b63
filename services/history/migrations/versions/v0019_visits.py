"""What becomes of each visitor who asks for a waiter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "visit",
        sa.Column("key", Number, primary_key=True, autoincrement=False),
        sa.Column("asked", sa.BigInteger, nullable=False),
        sa.Column("department", sa.Text, nullable=False, server_default=""),
        sa.Column("matched", sa.BigInteger),
        sa.Column("waiter", sa.Text, nullable=False, server_default=""),
        sa.Column("answered", sa.BigInteger),
        sa.Column("answered_by", sa.Text, nullable=False, server_default=""),
        sa.Column("ended", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    )
    under_way = sa.text("ended IS NULL")
    op.create_index(
        "visit_open", "visit", ["key"], sqlite_where=under_way, postgresql_where=under_way
    )


def downgrade() -> None:
    op.drop_table("visit")
