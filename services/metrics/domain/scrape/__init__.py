"""Scraping: what is scraped, how its pages are read, and when."""
