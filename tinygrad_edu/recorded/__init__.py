"""A training step recorded once as a flat program, and replayed while it holds.

`tape.py` listens to one run of the step and writes down what is computed; `purity.py` says what of a step a recording
cannot see; `step.py` decides when to record, when to replay, and when to leave the step as it is.
"""

from .step import RecordedStep, compile

__all__ = ["RecordedStep", "compile"]
