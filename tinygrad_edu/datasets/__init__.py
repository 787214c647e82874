"""Data to learn with: embedded, generated, and downloaded on demand."""
