"""The options of each command, in signatures; the bodies import what they need when they run."""
