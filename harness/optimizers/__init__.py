"""How a gradient becomes what is added to the weights: one file an optimizer. Registered in harness/registry.py."""
