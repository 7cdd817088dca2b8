"""Replicas: one worker's model in one framework, behind the protocol of harness/protocols/."""
