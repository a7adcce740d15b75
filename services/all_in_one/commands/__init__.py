"""The subcommands of `openmanager`, one a file."""
