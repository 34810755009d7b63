"""Opening hours of departments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

DEFAULTS = {"hours": "", "zone": "", "dates": "{}"}


def upgrade() -> None:
    for name, usual in DEFAULTS.items():
        op.add_column("department", sa.Column(name, sa.Text, nullable=False, server_default=usual))


def downgrade() -> None:
    for name in DEFAULTS:
        op.drop_column("department", name)
