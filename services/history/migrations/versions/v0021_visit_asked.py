"""An index by which a report finds the visits of its days."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index("visit_asked", "visit", ["asked", "key"])


def downgrade() -> None:
    op.drop_index("visit_asked", "visit")
