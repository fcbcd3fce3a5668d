"""One pytest run: options, markers, hooks, the fixture, and what becomes of the results."""
