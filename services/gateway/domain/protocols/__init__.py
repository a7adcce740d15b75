"""Formats in which other programs send samples, each into a `SampleBatch`."""
