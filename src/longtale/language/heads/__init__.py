"""Heads on top of a language model: from two texts to a click, a conversion and a rating."""
