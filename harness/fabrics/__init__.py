"""How workers reach each other, behind the protocols of harness/protocols/."""
