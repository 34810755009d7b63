"""Revocations are found by login, by subject and by age, and there is one of each subject.

Every sign-out had added a row, none was ever removed, and each worker read them
all before its first connection.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _index("sid")
    _index("subject")
    op.create_index("revoked_at", "revoked", ["at"])
    op.execute(  # of each subject the last word stays
        "DELETE FROM revoked WHERE subject <> '' AND n NOT IN (SELECT n FROM ("
        "SELECT n, ROW_NUMBER() OVER (PARTITION BY subject ORDER BY at DESC, n DESC) AS place "
        "FROM revoked WHERE subject <> '') AS ranked WHERE place = 1)"
    )


def downgrade() -> None:
    for name in ("revoked_at", "revoked_subject", "revoked_sid"):
        op.drop_index(name, "revoked")


def _index(column: str) -> None:
    some = sa.text(f"{column} <> ''")
    op.create_index(
        f"revoked_{column}", "revoked", [column], sqlite_where=some, postgresql_where=some
    )
