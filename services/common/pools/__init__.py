"""Bounded pools for work that must not run on the event loop."""
