"""Step 1, time: the queue outlives the broker, a call ends at its deadline, and so does its message."""
