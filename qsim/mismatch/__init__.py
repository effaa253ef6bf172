"""Where two arrays of integers differ, and how that is shown."""
