"""What entries hold besides their words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("message", sa.Column("data", sa.Text))


def downgrade() -> None:
    op.drop_column("message", "data")
