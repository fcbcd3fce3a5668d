"""Formats of reports: the name of a file is the word that users type."""
