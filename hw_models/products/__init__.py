"""Sums of products: geometry, bounds, and the kernels that are exact within them."""
