"""What a machine lacks is said in the summary: nothing is skipped silently."""
