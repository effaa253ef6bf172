"""Models of other vendors' delegates, one module each, used whole: ``tosa``."""
