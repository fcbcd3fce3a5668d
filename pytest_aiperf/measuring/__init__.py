"""One process measures one test."""
