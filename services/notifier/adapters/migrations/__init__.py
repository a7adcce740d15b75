"""Alembic migrations of the notifier's database; run when the service starts."""
