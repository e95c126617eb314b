"""Search: from a query in words to candidates, for this user."""
