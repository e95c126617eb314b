"""What tables and columns mean, found out from their names and contents."""
