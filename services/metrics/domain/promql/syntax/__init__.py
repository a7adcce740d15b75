"""The language: from text to `Expression`, with types checked."""
