"""Files that `hvdbench new` writes: copied for their readers, never imported here."""
