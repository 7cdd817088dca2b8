"""What is asked for: suites, the cells that they span, how a check judges them."""
