"""The commands of `hvdbench`, a file each: its options, and the room that does it. Each imports that room late."""
