"""Processes of a launch that serve its workers and take no share of the data."""
