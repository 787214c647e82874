"""Pictures of what the engine does: the graph, the walk back, failures, and what a training run is made of."""

from .recording import Note, Recording, Scope
