"""Which concepts a conditioning says, how surely, how weighted, and what of it nothing explains."""
