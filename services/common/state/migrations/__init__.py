"""Where Alembic finds how to run; the steps themselves are each service's own."""
