"""Units that need no float: roots, quotients, exponentials, curves and norms of codes."""
