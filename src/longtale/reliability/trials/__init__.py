"""One module for each promise: how it is tried, and what is broken for its mutant."""
