"""Engines that come with the suite; they load through the entry points `openmanager.engines`, as a stranger's would."""
