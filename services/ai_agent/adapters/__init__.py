"""How the AI agent reaches the other services."""
