"""What Alembic runs: the caller's connection and transaction (`gateway.database.migrating`)."""

from alembic import context

from gateway.database.declarations import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
context.run_migrations()
