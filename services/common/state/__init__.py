"""The databases of services that keep a state of their own: SQLite in the data folder, or PostgreSQL."""
