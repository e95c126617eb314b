"""From candidates to a slate: what is known of each, a learned order, and what else counts."""
