"""``python -m notebooks.sentences``: the table of all pairs, and what is lost on each target."""

from __future__ import annotations

import sys
import warnings

from notebooks.sentences.compare import compare, read_pairs
from notebooks.sentences.tables import of_networks, of_pairs
from qsim.errors import QsimError
from qsim.models.minilm import minilm, tokens


def main() -> int:
    """Print both tables; exit status 3 where the package with the weights is missing."""
    warnings.simplefilter("ignore")
    pairs = read_pairs()
    try:
        results = compare(minilm(), tokens, pairs)
    except QsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    print(of_pairs(pairs, results))
    print()
    print(of_networks(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
