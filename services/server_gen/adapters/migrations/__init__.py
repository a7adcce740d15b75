"""Alembic migrations of the fleet's database; run when the service starts."""
