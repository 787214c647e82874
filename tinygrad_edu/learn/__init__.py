"""What the lessons in `notebooks/` share: exercises that explain a wrong answer, and widgets to play with."""

from .exercise import Verdict, check, check_function, check_gradient
from .quiz import Quiz, predict
from .widget import Widget

__all__ = ["Quiz", "Verdict", "Widget", "check", "check_function", "check_gradient", "predict"]
