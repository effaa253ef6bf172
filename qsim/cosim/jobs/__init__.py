"""What a call sends through RTL, and what must come out."""
