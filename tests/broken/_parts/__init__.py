"""The two modules that every broken implementation has: `_base.PARTS` puts them there."""
