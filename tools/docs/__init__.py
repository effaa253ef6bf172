"""The documents as a newcomer runs them: their commands in order, and what they show of them."""
