"""Step 8, who serves: a call that nobody can answer says so; one that is cancelled or closed ends at once."""
