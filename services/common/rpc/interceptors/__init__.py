"""What surrounds every call on every transport."""
