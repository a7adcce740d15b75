"""Trends and short forecasts with intervals."""
