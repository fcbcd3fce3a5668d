"""What takes a call of a runtime apart: one file each."""
