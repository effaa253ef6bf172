"""Flatbuffers by the schemas that ExecuTorch ships: read with every offset checked, and written."""
