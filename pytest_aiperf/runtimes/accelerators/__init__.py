"""Devices, how they are waited for and asked: one file each."""
