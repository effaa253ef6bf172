"""From a quantized network to an edge program or a `.pte`, delegates included."""
