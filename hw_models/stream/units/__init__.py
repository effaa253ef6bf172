"""Commands of what transformers without floats need: norms, rotary turns, rows of tables."""
