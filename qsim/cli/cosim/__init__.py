"""`qsim cosim`."""
