"""Scales that assign colors to values."""

import attrs

__all__ = ["CLUSTERS", "FADING", "NO_VALUE", "OPPOSED", "ColorScale"]

NO_VALUE = "b4bcc4"
FADING = ("ffffcc", "fd8d3c", "800026")  # from pale to dark, so that high values stand out
OPPOSED = ("b2182b", "f7f7f7", "2166ac")
# The colors of Okabe and Ito, which color-blind people can distinguish, without black but with brown.
CLUSTERS = ("e69f00", "56b4e9", "009e73", "f0e442", "0072b2", "d55e00", "cc79a7", "7b4b2a")


@attrs.frozen
class ColorScale:
    """The colors of values, as six hexadecimal digits each.

    Parameters
    ----------
    colors
        The colors from the lowest value to the highest, evenly spaced, or the colors of the classes 1, 2, ...
    least, most
        The lowest and the highest value of the scale. Values beyond them have the same colors as these.
    classes
        Whether the values are numbers of classes.
    """

    colors: tuple[str, ...]
    least: float = attrs.field(converter=float)
    most: float = attrs.field(converter=float)
    classes: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value, which differ even if all values are the same."""
        return self.least, self.most if self.most > self.least else self.least + 1

    @classmethod
    def of_classes(cls) -> "ColorScale":
        """Return the scale of up to eight classes."""
        return cls(CLUSTERS, 1, len(CLUSTERS), classes=True)
