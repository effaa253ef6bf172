"""A `.pte` or `.ptd`, checked whole before anything runs."""
