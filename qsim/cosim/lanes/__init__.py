"""The two benches, bulk and cocotb, behind one interface."""
