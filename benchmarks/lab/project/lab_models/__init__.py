"""What the laboratory times."""
