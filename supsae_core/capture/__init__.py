"""What is collected before a fit: planned prompts, their encodings on disk, and the sums a fit needs."""
