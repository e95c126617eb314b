"""The same said differently: more examples from those that are there."""
