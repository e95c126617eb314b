"""From the tables of a user, checked row by row, to a dataset."""
