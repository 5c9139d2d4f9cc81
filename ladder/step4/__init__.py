"""Step 4, a thread in the client: it owns the connection and always reads; callers wait for their futures."""
