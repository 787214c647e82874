"""The widgets of the lessons, one a file: `from tinygrad_edu.learn.widgets.memory import memory_layout`."""
