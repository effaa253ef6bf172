"""tests/peers against the newest releases of every peer: what changed, by peer and rule."""
