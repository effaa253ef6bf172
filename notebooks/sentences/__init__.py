"""Sentence embeddings in float, with dynamic layers and with integers alone, side by side."""
