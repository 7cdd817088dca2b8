"""`hvdbench compare`: one workload under every strategy that can run here, planned to fit the minutes there are."""
