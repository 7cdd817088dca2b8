"""From a cell to processes: a launcher names the commands, the supervisor runs and ends them."""
