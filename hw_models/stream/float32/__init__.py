"""Commands of operators on float32 values: the kernels of hw_models, on the arena itself."""
