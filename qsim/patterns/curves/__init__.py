"""Functions of one value, alone or several in a row; softmax."""
