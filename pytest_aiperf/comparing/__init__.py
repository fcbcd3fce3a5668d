"""A candidate beside its reference: outputs, scores, speed, and why it is no better."""
