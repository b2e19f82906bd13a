"""Why an expression has no value."""


class EvaluationError(Exception):
    """The series there are do not fit the expression; the message says how, for people."""


class SameLabels(EvaluationError):
    """Series whose names are gone cannot be told apart any more."""
