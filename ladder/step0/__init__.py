"""Step 0, the tutorial: a reply finds its caller by a callback queue and a correlation id."""
