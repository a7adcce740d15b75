"""The notifier's ways to databases, to the metrics service and to receivers."""
