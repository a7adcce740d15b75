"""The one door of the suite: HTTP in front of the four gRPC services."""
