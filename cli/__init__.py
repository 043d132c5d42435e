"""The `supsae` command line."""
