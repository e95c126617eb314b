"""What texts bring into a ranking: a report by groups, and two ways to take it out."""
