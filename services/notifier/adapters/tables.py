"""The tables of the notifier's database, as the migrations leave them. Times are Unix seconds."""

import sqlalchemy as sa

metadata = sa.MetaData()

rules = sa.Table(
    "rules",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False, unique=True),
    sa.Column("expr", sa.Text, nullable=False),
    sa.Column("for_seconds", sa.Double, nullable=False),
    sa.Column("keep_firing_for_seconds", sa.Double, nullable=False),
    sa.Column("recovery_expr", sa.Text, nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("annotations", sa.JSON, nullable=False),
    sa.Column("no_data", sa.String(16), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("channels", sa.JSON, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("group_by", sa.JSON, nullable=False),
    sa.Column("group_wait_seconds", sa.Double, nullable=False),
    sa.Column("group_interval_seconds", sa.Double, nullable=False),
    sa.Column("repeat_interval_seconds", sa.Double, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("updated_at", sa.Double, nullable=False),
    sa.Column("last_error", sa.Text, nullable=False, server_default=""),
    sa.Column("last_evaluated_at", sa.Double),
)

# No foreign key to rules: what a rule has fired stays known after the rule is deleted.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("rule_id", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("fingerprint", sa.String(16), nullable=False),
    sa.Column("group_key", sa.String(96), nullable=False),
    sa.Column("value", sa.Double),  # NULL where there is no value: SQLite has no NaN
    sa.Column("evidence_expr", sa.Text, nullable=False),
    sa.Column("evidence_time", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),
    sa.Column("annotations", sa.JSON, nullable=False),
    sa.Column("fired_at", sa.Double),
    sa.Column("ends_at", sa.Double),
    sa.Column("cleared_at", sa.Double),
    sa.Column("told", sa.String(16)),
    sa.Index("alerts_by_start", "started_at", "id"),
    sa.Index("alerts_by_state", "state", "started_at"),
    sa.Index(
        "alerts_one_open",
        "rule_id",
        "fingerprint",
        unique=True,
        sqlite_where=sa.text("ends_at IS NULL"),
        postgresql_where=sa.text("ends_at IS NULL"),
    ),
)

groups = sa.Table(
    "alert_groups",
    metadata,
    sa.Column("key", sa.String(96), primary_key=True),
    sa.Column("rule_id", sa.String(64), nullable=False),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("flush_at", sa.Double),
    sa.Column("told_at", sa.Double),
)

watched_series = sa.Table(
    "watched_series",
    metadata,
    sa.Column("rule_id", sa.String(64), primary_key=True),
    sa.Column("fingerprint", sa.String(16), primary_key=True),
    sa.Column("labels", sa.JSON, nullable=False),
)

channels = sa.Table(
    "channels",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
)

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("channel", sa.String(63), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Double, nullable=False),
    sa.Column("idempotency_key", sa.String(64), nullable=False, unique=True),
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("recommendations", sa.JSON, nullable=False),
    sa.Column("confidence", sa.Double, nullable=False),
    sa.Column("group_key", sa.String(96), nullable=False),
    sa.Column("group_labels", sa.JSON, nullable=False),
    sa.Column("alerts", sa.JSON, nullable=False),
    sa.Column("truncated_alerts", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("next_attempt_at", sa.Double),
    sa.Index("notifications_queue", "channel", "state", "group_key", "position"),
    sa.Index("notifications_by_state", "state", "position"),
)

delivery_attempts = sa.Table(
    "delivery_attempts",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("notification_id", sa.String(64), sa.ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("http_status", sa.Integer),
    sa.Column("elapsed_seconds", sa.Double, nullable=False),
)
