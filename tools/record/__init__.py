"""What qsim computes, prints and writes, recorded in one file: equal before and after a change."""
