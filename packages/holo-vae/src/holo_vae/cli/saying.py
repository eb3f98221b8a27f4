"""What the commands say on the screen."""

from holo_types.console import visible

__all__ = ["say"]


def say(line: str) -> None:
    """Print a line of which nothing is taken for markup."""
    from rich.console import Console  # noqa: PLC0415

    Console().print(visible(line), soft_wrap=True, highlight=False, markup=False)
