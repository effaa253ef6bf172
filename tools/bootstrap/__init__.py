"""Set up `.venv` for `make run` and `make test`: `python3 -m tools.bootstrap`."""
