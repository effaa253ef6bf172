"""A `.pte`'s instructions on its planned memories."""
