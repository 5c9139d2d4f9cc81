"""The conformance suite: one file per group of clauses; a test's first line is the clause it checks."""
