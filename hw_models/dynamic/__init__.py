"""Dynamic quantization: ranges, their parameters, and products scaled at run time."""
