"""Rules and values of the gateway; knows no HTTP, gRPC or protobuf."""
