"""The errors that Holo raises on input it cannot use."""

__all__ = ["FormatError", "HoloError"]


class HoloError(ValueError):
    """Input that cannot be used: the message names the thing, what it was, and what it should be."""


class FormatError(HoloError):
    """A file that is not what it should be: missing, damaged, of another kind or schema version."""
