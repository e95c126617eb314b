"""The nouns: what a catalogue, its users and their events are, and how they are read and cut."""
