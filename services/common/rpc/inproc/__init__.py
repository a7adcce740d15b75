"""gRPC within one process: unmodified stubs and servicers, no socket."""
