"""Functions of one code: real definitions, integer units, softmax schemes."""
