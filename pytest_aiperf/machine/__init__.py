"""What the system and its drivers say, and how a run shares the machine with others."""
