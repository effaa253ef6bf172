"""What each primitive of a Program is, family by family."""
