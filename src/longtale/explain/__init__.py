"""Explanations that are true: read off the score itself, and tried before they are claimed."""
