"""Runtimes that own models: one file each."""
