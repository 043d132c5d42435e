"""The paper's experiment on a model of one's own, as published, with this package's method beside it."""
