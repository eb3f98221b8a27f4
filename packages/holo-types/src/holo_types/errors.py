"""The errors that Holo raises on input that it cannot use."""

__all__ = ["FormatError", "HoloError"]

_LONGEST = 2000  # characters


class HoloError(ValueError):
    """Input that cannot be used: the message names what is wrong, its value, and what it should be.

    The middle of a message of more than 2,000 characters is left out, because a value may be as long as a file.

    Examples
    --------
    >>> len(str(HoloError("it is " + "x" * 100_000)))
    2000
    """

    def __str__(self) -> str:
        message = super().__str__()
        if len(message) <= _LONGEST:
            return message
        half = (_LONGEST - 3) // 2
        return f"{message[: _LONGEST - 3 - half]}...{message[-half:]}"


class FormatError(HoloError):
    """A file that is not what it should be: missing, damaged, of another kind or schema version."""
