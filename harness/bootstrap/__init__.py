"""Set-up: a virtual environment with exact pins, Horovod built for today's frameworks. Standard library only."""
