"""Alembic migrations of the metrics service's database; run when the service starts."""
