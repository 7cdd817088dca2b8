"""From cells to records: what runs here, one launch after another, or inside an existing one."""
