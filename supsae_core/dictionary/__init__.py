"""What artists share: sparse concept codes and the decoders that turn them into features, in one file."""
