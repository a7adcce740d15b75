"""What keeps the fleet's size between starts."""
