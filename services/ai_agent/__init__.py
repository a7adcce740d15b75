"""Answers questions about the servers and analyses rows that a caller sends."""
