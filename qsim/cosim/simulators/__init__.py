"""Icarus and Verilator: found, built with, run."""
