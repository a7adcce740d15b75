"""What befalls the fleet: the kinds of faults, what each does to the servers, the truth about it, and schedules of them."""
