"""One set of series and one list of expressions for comparing our PromQL with a real Prometheus."""
