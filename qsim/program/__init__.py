"""Integer-only networks: calls of primitives on named tensors."""
