"""Pictures of what the engine does: the graph, the walk back, failures, and what a training run is made of."""

from ..ops.misuse import explain_all as _explain_all
from .explain import Explanation, explain_grad
from .figures import Plot
from .graph import Graph, graph, picture_of
from .history import History
from .landscape import LANDSCAPES, race
from .lint import Finding, Findings, Linter, lint
from .memory import Ledger, memory
from .play import Play, play
from .plots import confusion, decision_boundary, images, weights
from .profile import Profile, profile
from .program import program
from .recording import Note, Recording, Scope
from .shapes import shapes
from .summary import Summary, summary

_explain_all(globals(), "log_activations log_norms load_state_dict")
