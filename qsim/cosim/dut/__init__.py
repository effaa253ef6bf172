"""A design of the user's own: its dut.toml, its ports, the wrapper around it."""
