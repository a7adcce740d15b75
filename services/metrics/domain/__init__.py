"""Rules and values of the metrics service; knows no gRPC, HTTP or SQL."""
