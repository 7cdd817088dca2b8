"""Time and traffic: the clock of the measured loop, and launches that share a machine by turns."""
