"""What the notifier knows about rules, alerts and notifications; no gRPC, HTTP or SQL here."""
