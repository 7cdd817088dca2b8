"""What a run leaves: the versioned schema, the append-only folder, the files of a run in progress."""
