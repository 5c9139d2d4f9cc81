"""raw_pika, whose answers are one too large."""
