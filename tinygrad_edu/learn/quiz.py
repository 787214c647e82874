"""`predict`: a question before a cell is run; each answer opens and says whether it is right, and why. No JavaScript."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from ..errors import message

STYLE = "border:1px solid #8886;border-radius:8px;padding:10px 14px;margin:6px 0;max-width:46rem"


class Quiz:
    """A question with its possible answers; shows itself in a notebook."""

    def __init__(self, question: str, options: Sequence[str], answer: str, because: Mapping[str, str]) -> None:
        self.question, self.options, self.answer, self.because = question, list(options), answer, dict(because)

    def _repr_html_(self) -> str:
        choices = "".join(self._choice(option) for option in self.options)
        return (
            f'<div style="{STYLE}"><p style="margin:0 0 6px"><b>Predict:</b> {_set(self.question)}</p>{choices}</div>'
        )

    def _choice(self, option: str) -> str:
        right = option == self.answer
        start = "✓ <b>Right.</b>" if right else "✗ Not this one."
        why = _set(self.because.get(option, "" if right else "Open another answer."))
        text = f'<p style="margin:4px 0 8px 22px">{start} {why}</p>'
        return f'<details style="margin:3px 0"><summary style="cursor:pointer">{_set(option)}</summary>{text}</details>'

    def __repr__(self) -> str:
        return "\n".join([f"Predict: {self.question}", *(f"  ( ) {option}" for option in self.options)])


def predict(question: str, options: Sequence[object], answer: object, because: str | Mapping[object, str]) -> Quiz:
    """Ask what will happen.

    because  why the right answer is right; or for each answer, right or wrong, what is to be said about it
    Between backticks stands code.
    """
    texts = [str(option) for option in options]
    if str(answer) not in texts:
        wrong = f"the answer {str(answer)!r} is not among the options {texts}"
        raise ValueError(message("predict", wrong, instead="the answer as one of the options is written"))
    reasons = {str(answer): because} if isinstance(because, str) else {str(k): v for k, v in because.items()}
    strange = sorted(reasons.keys() - set(texts))
    if strange:
        raise ValueError(message("predict", f"because speaks of {strange}, and the options are {texts}"))
    return Quiz(question, texts, str(answer), reasons)


def _set(text: str) -> str:
    """Text as HTML, code between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


__all__ = ["Quiz", "predict"]
