"""Detectors: signals made of columns, calm fitted robustly, and what lies beyond it."""
