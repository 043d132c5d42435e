"""Sparse concept dictionaries and edits of their support: tensors in, tensors out."""
