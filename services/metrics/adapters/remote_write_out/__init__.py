"""Everything that is stored, sent on to a Prometheus-compatible receiver by remote write 1.0."""
