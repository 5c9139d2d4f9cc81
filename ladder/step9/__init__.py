"""Step 9, stopping: a server that is told to stop takes no more, answers what it has begun, returns the rest."""
