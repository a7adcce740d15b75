"""The tables of the fleet's database, as the migrations leave them. Times are Unix seconds."""

import sqlalchemy as sa

metadata = sa.MetaData()

fleet = sa.Table(
    "fleet",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # one row, number 1
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("epoch", sa.Double, nullable=False),
    sa.Column("world", sa.String(64), nullable=False),
)

# Faults that were injected; those of the scenario follow from its file.
faults = sa.Table(
    "faults",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("server", sa.String(255), nullable=False),
    sa.Column("severity", sa.Double, nullable=False),
    sa.Column("starts_at", sa.Double, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False),
    sa.Column("cancelled_at", sa.Double),
)
