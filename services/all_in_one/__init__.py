"""The five services in one process: the default way to run the suite."""
