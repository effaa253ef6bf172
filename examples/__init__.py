"""Networks that this project shows at work; each says what it needs beside the checkout."""
