"""What can be tuned."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InfluxOptions:
    """Figures of the connection to InfluxDB.

    Attributes:
        connect_seconds: a connection must stand after this.
        write_seconds: a write must be acknowledged after this, or counts as failed (it may have happened nevertheless).
        query_seconds: an answer must be complete after this.
        pending_samples: samples that may wait for their turn; more are refused until some are through.
        group_samples: samples of one write at most.
        compress: bodies of writes are gzipped, unless they stay on this machine; saves network, costs processor time on both sides.
        purge_ms: deleted samples leave the disk once this much more of the past may go: InfluxDB deletes slowly.
    """

    connect_seconds: float = 5.0
    write_seconds: float = 30.0
    query_seconds: float = 60.0
    pending_samples: int = 2_000_000
    group_samples: int = 50_000
    compress: bool = True
    purge_ms: int = 86_400_000
