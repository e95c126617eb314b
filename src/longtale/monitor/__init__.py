"""What a running service says of itself: metrics, log lines, traces."""
