"""What makes a machine noisy for timing, one file per family of checks."""
