"""A dictionary judged on its text encoders alone, and pictures by proxies."""
