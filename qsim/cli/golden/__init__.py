"""`qsim golden`: record, check, export."""
