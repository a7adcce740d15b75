"""The fleet and its physics; knows no gRPC and no files."""
