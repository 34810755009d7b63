"""Run by Alembic: `sql.SQLStore.migrate` hands its connection over."""

from __future__ import annotations

from alembic import context

from services.history.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
