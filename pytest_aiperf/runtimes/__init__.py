"""How a runtime or a device behaves: found where the user imported it, never imported."""
