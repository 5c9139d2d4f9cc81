"""Step 5, threads in the server: one owns the connection and always reads; others run the function."""
