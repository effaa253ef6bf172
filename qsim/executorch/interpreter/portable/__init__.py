"""ExecuTorch's own arithmetic, where it rounds otherwise than torch's."""
