"""Who wrote a canned reply, and what shared ones were before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    # Made anew in SQLite, which cannot be told later to give no number twice.
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table(
        "canned",
        recreate="always" if sqlite else "never",
        table_kwargs={"sqlite_autoincrement": True},
    ) as batch:
        batch.add_column(sa.Column("author", sa.Text, nullable=False, server_default=""))
        batch.add_column(sa.Column("author_name", sa.Text, nullable=False, server_default=""))
        batch.add_column(sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "canned_past",
        sa.Column("n", Number, primary_key=True, autoincrement=True),
        sa.Column("reply", sa.BigInteger, nullable=False),
        sa.Column("shortcut", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("author_name", sa.Text, nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
        sa.Column("ended_by", sa.Text, nullable=False),
        sa.Column("ended_by_name", sa.Text, nullable=False),
        sa.Column("ended", sa.BigInteger, nullable=False),
    )
    op.create_index("canned_past_reply", "canned_past", ["reply", "n"])


def downgrade() -> None:
    op.drop_table("canned_past")
    for name in ("author", "author_name", "changed"):
        op.drop_column("canned", name)
