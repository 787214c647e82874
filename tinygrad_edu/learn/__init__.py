"""What the lessons in `notebooks/` share: exercises that explain a wrong answer, widgets to play with, plain figures."""

from .exercise import Verdict, check, check_function, check_gradient
from .figures import curves, spreads
from .quiz import Quiz, predict
from .widget import Widget

__all__ = ["Quiz", "Verdict", "Widget", "check", "check_function", "check_gradient", "curves", "predict", "spreads"]
