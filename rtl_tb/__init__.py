"""RTL of the primitives, and the benches that drive it; no torch is imported here."""
