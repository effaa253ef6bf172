"""Exported graphs: how they are captured, and how a node is read."""
