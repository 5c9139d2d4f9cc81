"""The two modules that every adapted program has: `adapter.PARTS` puts them there."""
