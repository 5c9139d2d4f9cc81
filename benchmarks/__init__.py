"""What each layer costs: one file per question, and the report. Start with `pytest --benchmark`."""
