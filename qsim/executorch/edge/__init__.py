"""Edge programs and delegates, run in Python."""
