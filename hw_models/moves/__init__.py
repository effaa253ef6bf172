"""What joins, picks and pads codes and computes nothing: one primitive a module."""
