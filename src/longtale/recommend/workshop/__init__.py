"""The workshop: a language model made better for one catalogue, and judged on its own data."""
