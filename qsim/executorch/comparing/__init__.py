"""Two programs, operator by operator, bit by bit."""
