"""What is to be covered of each primitive: a module each, with ``PLAN``. They need no cocotb."""
