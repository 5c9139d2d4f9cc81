"""Implementations of which it is known what the benchmark has to say: raw_pika, with one thing changed."""
