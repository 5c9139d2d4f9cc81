"""raw_pika under another name."""
