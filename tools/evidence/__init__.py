"""docs/evidence.md: what stands behind each primitive and target, by tests, RTL and proofs."""
