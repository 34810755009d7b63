"""Pictures of people: their addresses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COLUMNS = (("account", "avatar"), ("chat", "user_avatar"), ("chat", "waiter_avatar"))


def upgrade() -> None:
    for table, name in _COLUMNS:
        op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for table, name in _COLUMNS:
        op.drop_column(table, name)
