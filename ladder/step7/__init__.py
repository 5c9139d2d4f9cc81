"""Step 7, the server connects again: what it had not acknowledged, the broker gives to somebody else."""
