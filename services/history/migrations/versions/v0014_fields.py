"""What a visitor has filled in before it asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("chat", sa.Column("fields", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("chat", "fields")
