"""How weights are updated: one file a strategy, each readable beside its paper. Registered in harness/registry.py."""
