"""Rules of import-linter that it does not bring: `make lint` runs them (see pyproject.toml)."""
