"""Where baselines are kept: one file a store."""
