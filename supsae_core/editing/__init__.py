"""Edits of a support: what an artist says, and what that adds to a conditioning or inside a model."""
