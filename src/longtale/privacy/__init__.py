"""Personal data: found in free text, and taken out of it."""
