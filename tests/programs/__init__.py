"""Complete programs in PyTorch's style, each a file that imports `torch` and knows nothing of this package.

A program has `model()`, which makes a module (or a dictionary of tensors), and `train(model)`, which trains it for some
steps and returns numbers worth comparing: losses, predictions, samples. Randomness in `train` comes from NumPy with a
fixed seed, so that both engines see the same. `tests/test_programs.py` runs every file here.
"""
