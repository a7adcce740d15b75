"""Ingest, storage and queries beside VictoriaMetrics, Prometheus and InfluxDB, in the same run on the same workload."""
