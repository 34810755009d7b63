"""Canned replies with choices, of departments, and how often each is used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    for table in ("canned", "canned_past"):
        op.add_column(table, sa.Column("choices", sa.Text, nullable=False, server_default="[]"))
        op.add_column(table, sa.Column("department", sa.Text, nullable=False, server_default=""))
    op.add_column("canned", sa.Column("used", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("canned", sa.Column("used_at", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_index("canned_owner", "canned")
    op.create_index("canned_owner", "canned", ["owner", "department", "shortcut"], unique=True)


def downgrade() -> None:
    op.drop_index("canned_owner", "canned")
    op.create_index("canned_owner", "canned", ["owner", "shortcut"], unique=True)
    for name in ("choices", "department", "used", "used_at"):
        op.drop_column("canned", name)
    for name in ("choices", "department"):
        op.drop_column("canned_past", name)
