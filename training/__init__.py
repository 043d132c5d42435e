"""From pairs of prompts to a fitted, calibrated dictionary."""
