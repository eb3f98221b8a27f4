"""Which pairs of input degrees a tensor square couples into which output degree."""

from functools import cache
from typing import Literal

__all__ = ["Connectivity", "Path", "connectivity"]

Connectivity = Literal["efficient", "full"]
Path = tuple[int, int, int]


def _spanning_forest(lmax: int, l3: int) -> set[tuple[int, int]]:
    """Find, by Kruskal's algorithm, the forest of pairs (l1, l2), l1 > l2, that couple to l3."""
    pairs = [(l1, l2) for l1 in range(lmax + 1) for l2 in range(l1) if l1 - l2 <= l3 <= l1 + l2]
    tree = list(range(lmax + 1))
    forest = set()
    for l1, l2 in sorted(pairs, key=lambda pair: ((2 * pair[0] + 1) * (2 * pair[1] + 1), pair[1])):
        if tree[l1] != tree[l2]:
            forest.add((l1, l2))
            joined, kept = tree[l1], tree[l2]
            tree = [kept if name == joined else name for name in tree]
    return forest


@cache
def connectivity(lmax_in: int, lmax_out: int, rule: Connectivity = "efficient") -> tuple[Path, ...]:
    """List the paths (l1, l2, l3) of a tensor square from degrees 0..lmax_in to degrees 0..lmax_out.

    Parameters
    ----------
    lmax_in, lmax_out
        The highest degrees; ``lmax_out`` at most ``2 lmax_in``.
    rule
        ``"efficient"``: for each l3 the self pairs (l, l), and the pairs of a minimum spanning forest of the
        graph on 0..lmax_in whose edges are the pairs that couple to l3, weighted by (2 l1 + 1)(2 l2 + 1),
        ties by the smaller degree; here l1 >= l2. ``"full"``: every pair l1 <= l2.

    Returns
    -------
    tuple of (l1, l2, l3)
        ``"efficient"``: l1 ascending, l2 descending, l3 ascending; ``"full"``: all three ascending. The order
        is that of the rows of published weights. Self pairs into odd degrees are listed although a product
        channel by channel makes them zero.

    Raises
    ------
    ValueError
        If the rule is unknown or a degree out of range.

    Notes
    -----
    Visani et al., Phys. Rev. Research 6, 023006 (2024).

    Examples
    --------
    >>> connectivity(1, 2)
    ((0, 0, 0), (1, 1, 0), (1, 1, 1), (1, 1, 2), (1, 0, 1))
    >>> connectivity(1, 1, "full")
    ((0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1))
    """
    if lmax_in < 0 or not 0 <= lmax_out <= 2 * lmax_in:
        raise ValueError(
            f"connectivity: degrees 0..{lmax_in} cannot reach 0..{lmax_out}; "
            f"lmax_out must be from 0 to twice lmax_in, {2 * lmax_in}"
        )
    if rule == "efficient":
        forests = [_spanning_forest(lmax_in, l3) for l3 in range(lmax_out + 1)]
        return tuple(
            (l1, l2, l3)
            for l1 in range(lmax_in + 1)
            for l2 in range(l1, -1, -1)
            for l3 in range(l1 - l2, min(l1 + l2, lmax_out) + 1)
            if l1 == l2 or (l1, l2) in forests[l3]
        )
    if rule == "full":
        return tuple(
            (l1, l2, l3)
            for l1 in range(lmax_in + 1)
            for l2 in range(l1, lmax_in + 1)
            for l3 in range(l2 - l1, min(l1 + l2, lmax_out) + 1)
        )
    raise ValueError(f"connectivity: the rule is {rule!r}; it must be 'efficient' or 'full'")
