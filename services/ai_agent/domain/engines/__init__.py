"""The chain of engines: which is tried when, and what became of each attempt."""
