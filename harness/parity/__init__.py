"""The proof that two frameworks train the same thing."""
