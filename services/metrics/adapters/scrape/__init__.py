"""Scraping's way to targets, lists of targets, files and the database."""
