"""raw_pika, with 1 ms added to every call."""
