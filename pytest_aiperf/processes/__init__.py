"""Fresh processes: children, worktrees, interleaved pairs of old and new."""
