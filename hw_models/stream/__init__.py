"""A Program's commands in one compiled loop over an arena."""
