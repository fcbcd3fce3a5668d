"""From numbers to verdicts, pure: no clock, no disk, no device."""
