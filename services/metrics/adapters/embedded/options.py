"""How the embedded store trades memory, file size and read speed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """Sizes of the embedded store. The defaults suit 20,000 series every 10 s on two cores.

    Attributes:
        seal_samples: the head is packed into blocks when it holds this many samples (16 bytes each)...
        seal_age_ms: ...or when its oldest batch came this long ago, so that the journal stays short.
        seal_strays: the head is packed, too, when it holds this many samples that came out of order, which are slower to search.
        repeat_rows: batches of at least this many samples are remembered by their series, since they may come again.
        direct_rows: a commit of at least this many samples goes straight into blocks...
        direct_rows_per_series: ...when it brings this many a series on average; imports do not pass through the head.
        cache_bytes: decoded blocks kept for the next query.
        pending_samples: samples waiting for the writer before further batches are refused.
        reader_threads: queries that read blocks at the same time.
    """

    seal_samples: int = 2_000_000
    seal_age_ms: int = 7_200_000
    seal_strays: int = 262_144
    repeat_rows: int = 256
    direct_rows: int = 16_384
    direct_rows_per_series: int = 64
    cache_bytes: int = 64 * 2**20
    pending_samples: int = 8_000_000
    reader_threads: int = 2
