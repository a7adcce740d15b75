"""Finds what is unusual in rows that a caller sends, how they move and what comes next, fitted on those rows alone."""
