"""What a person reads: tables for a terminal, one self-contained HTML file for a review."""
