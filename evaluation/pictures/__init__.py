"""Edits judged on drawn pictures."""
