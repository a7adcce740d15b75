"""Calls between services: one server and one channel for TCP, unix sockets and one process."""
