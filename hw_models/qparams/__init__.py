"""Scale and zero point of values that are known at run time only: rule, definition, kernels."""
