"""Learning a catalogue's language from its words alone, without labels."""
