"""Rules, alert states and the notifications they send."""
