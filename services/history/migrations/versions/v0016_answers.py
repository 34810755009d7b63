"""In which time waiters of a department have to answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("department", sa.Column("answer_within", sa.Integer))


def downgrade() -> None:
    op.drop_column("department", "answer_within")
