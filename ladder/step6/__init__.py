"""Step 6, the client connects again: a lost connection is not mended; it is dropped, and another is opened."""
