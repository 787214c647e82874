"""What the engine costs, side by side with PyTorch eager: `python -m benchmarks`."""
