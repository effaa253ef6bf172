"""cocotb benches of the RTL: drivers, rules of the stream, scoreboard, coverage, tests."""
