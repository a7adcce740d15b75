"""What the AI agent knows by itself: no gRPC, HTTP or SQL appears here."""
