"""Fit dictionaries from captures, evaluate them, and the `supsae` command line."""
