"""Products with weights and of two tensors; bias and ReLU behind them."""
