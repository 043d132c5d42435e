"""Results as one page, as tables and as panels."""
