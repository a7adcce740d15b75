"""The services of the OpenManager suite."""
