"""Making a language model better for a catalogue: pre-train, fine-tune, harden, shrink."""
