"""Where tables come from: files and SQL databases."""
