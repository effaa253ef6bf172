"""The lock: which release of every package `make run` and `make test` install, with hashes.

`requirements/run.txt` is what `make run` installs, `requirements/test.txt` what `make test` does;
the second holds all of the first. `make lock` renews them, `make lint` checks them.
"""
