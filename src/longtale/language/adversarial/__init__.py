"""Encoders and item vectors that bear what is wrong with a text: made so, and measured."""
