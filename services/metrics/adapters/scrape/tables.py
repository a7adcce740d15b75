"""The tables of the metrics service's database, as the migrations leave them. Times are Unix seconds."""

import sqlalchemy as sa

metadata = sa.MetaData()

scrape_jobs = sa.Table(
    "scrape_jobs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("config", sa.JSON, nullable=False),  # fields of a scrape_config, secrets in the clear
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
)
