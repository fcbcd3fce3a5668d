"""Hand-written digits, recognised by a small CNN, a small vision transformer and their optimised variants."""
