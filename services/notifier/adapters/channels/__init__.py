"""Kinds of channels. A new kind is a module here and a line in the registry."""
