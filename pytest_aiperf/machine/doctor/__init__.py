"""What makes this machine noisy, and what to do about it."""
