"""Models of other vendors' delegates."""
