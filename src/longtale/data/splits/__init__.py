"""What models may see and what they are asked: protocols, folds and bands."""
