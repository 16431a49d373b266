"""The one error that is a user's to mend."""


class UserError(Exception):
    """Says in one line what was wrong, with what, and what to do; shown without a traceback."""
