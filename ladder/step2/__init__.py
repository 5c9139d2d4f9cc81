"""Step 2, many calls: a table of futures in place of one slot, so that replies may come in any order."""
