"""HTTP: one table of URLs, handlers by area, and what surrounds every request."""
