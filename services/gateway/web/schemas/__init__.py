"""The HTTP types: what request bodies are checked against, what answers hold, and where `/openapi.json` comes from."""
