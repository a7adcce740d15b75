"""Answers: from the plan's results to a text whose every figure can be run again."""
