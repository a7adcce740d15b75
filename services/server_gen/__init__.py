"""The virtual fleet: servers of several roles whose samples are a pure function of seed and time."""
