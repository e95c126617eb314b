"""The sequence model: what comes next, read from the order of a history."""
