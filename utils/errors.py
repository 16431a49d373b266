"""The error that a user can correct."""


class UserError(Exception):
    """One line: what was wrong, where, and what to do. It is shown without a traceback."""
