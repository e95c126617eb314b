"""What people do with slates, and what follows from it."""
