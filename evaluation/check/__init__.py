"""Whether the pack works with a model that nobody here has: one run, one report that can be sent."""
