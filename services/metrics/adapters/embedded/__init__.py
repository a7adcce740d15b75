"""The embedded store: samples durable in a SQLite journal, recent ones in numpy arrays, older ones in compressed blocks."""

from services.metrics.adapters.embedded.options import EmbeddedOptions
from services.metrics.adapters.embedded.store import EmbeddedStore

__all__ = ["EmbeddedOptions", "EmbeddedStore"]
