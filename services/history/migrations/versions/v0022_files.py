"""Files that participants send into conversations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "file",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("chat", sa.BigInteger, nullable=False),
        sa.Column("side", sa.SmallInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("upload", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("mime", sa.Text, nullable=False, server_default=""),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("thumb", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("kept", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("named", sa.BigInteger),
        sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("file_chat", "file", ["chat"])
    op.create_index("file_upload", "file", ["side", "author", "upload"], unique=True)
    op.create_index(
        "file_unsettled", "file", ["changed"],
        sqlite_where=sa.text("settled = 0"), postgresql_where=sa.text("NOT settled"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("file")
