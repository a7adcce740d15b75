"""What the gateway needs of the outside: calls to the four services, and the file that holds the admin token."""
