"""What connects the metrics service to databases and to the world."""
