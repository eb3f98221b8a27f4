"""Which pairs of input degrees a tensor square or product couples into which output degree."""

from collections.abc import Iterable
from functools import cache
from typing import Literal

__all__ = ["Connectivity", "Path", "connectivity", "product_connectivity"]

Connectivity = Literal["efficient", "full"]
Path = tuple[int, int, int]


def _spanning_forest(pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return, by Kruskal's algorithm, the minimum spanning forest of a graph with the edges (l1, l2), l1 > l2."""
    trees: dict[int, int] = {}
    forest = set()
    for l1, l2 in sorted(pairs, key=lambda pair: ((2 * pair[0] + 1) * (2 * pair[1] + 1), pair[1])):
        kept, joined = trees.setdefault(l2, l2), trees.setdefault(l1, l1)
        if kept != joined:
            forest.add((l1, l2))
            trees = {degree: kept if tree == joined else tree for degree, tree in trees.items()}
    return forest


def _couples(l1: int, l2: int, l3: int) -> bool:
    return abs(l1 - l2) <= l3 <= l1 + l2


def _check_rule(name: str, rule: str) -> None:
    if rule not in ("efficient", "full"):
        raise ValueError(f"{name}: the rule is {rule!r}; it must be 'efficient' or 'full'")


@cache
def connectivity(lmax_in: int, lmax_out: int, rule: Connectivity = "efficient") -> tuple[Path, ...]:
    """List the paths (l1, l2, l3) of a tensor square from degrees 0..lmax_in to degrees 0..lmax_out.

    Parameters
    ----------
    lmax_in, lmax_out
        The highest degrees; ``lmax_out`` at most ``2 lmax_in``.
    rule
        ``"efficient"``: for each l3 the self pairs (l, l), and the pairs of a minimum spanning forest of the graph on
        0..lmax_in whose edges are the pairs that couple to l3, weighted by (2 l1 + 1)(2 l2 + 1), where ties go to the
        smaller degree; here l1 >= l2. ``"full"``: every pair l1 <= l2.

    Returns
    -------
    tuple of (l1, l2, l3)
        ``"efficient"``: l1 ascending, l2 descending, l3 ascending; ``"full"``: all three ascending. This is the order
        of the rows of published weights. Self pairs into odd degrees are listed, although they are zero in a product
        channel by channel.

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
    _check_rule("connectivity", rule)
    if rule == "efficient":
        unequal = [(l1, l2) for l1 in range(lmax_in + 1) for l2 in range(l1)]
        forests = [
            _spanning_forest(pair for pair in unequal if _couples(*pair, l3)) for l3 in range(lmax_out + 1)
        ]
        return tuple(
            (l1, l2, l3)
            for l1 in range(lmax_in + 1)
            for l2 in range(l1, -1, -1)
            for l3 in range(l1 - l2, min(l1 + l2, lmax_out) + 1)
            if l1 == l2 or (l1, l2) in forests[l3]
        )
    return tuple(
        (l1, l2, l3)
        for l1 in range(lmax_in + 1)
        for l2 in range(l1, lmax_in + 1)
        for l3 in range(l2 - l1, min(l1 + l2, lmax_out) + 1)
    )


@cache
def product_connectivity(
    degrees1: tuple[int, ...], degrees2: tuple[int, ...], lmax_out: int, rule: Connectivity = "efficient"
) -> tuple[Path, ...]:
    """List the paths (l1, l2, l3) of a tensor product of two features, with l1 of the first and l2 of the second.

    Unlike in a square, (l1, l2) and (l2, l1) are two different pairs, and a self pair into an odd degree is not zero:
    for two vectors it is their cross product.

    Parameters
    ----------
    degrees1, degrees2
        The degrees of the two features, ascending; there may be gaps.
    lmax_out
        The highest degree of the result.
    rule
        ``"full"``: every pair that couples to l3. ``"efficient"``: for each l3 the self pairs (l, l) and, in both
        orders, the pairs of the minimum spanning forest of `connectivity`, on the degrees that exist.

    Returns
    -------
    tuple of (l1, l2, l3)
        l3 ascending, then l1, then l2.

    Raises
    ------
    ValueError
        If the rule is unknown or the highest degree cannot be reached.

    Examples
    --------
    >>> product_connectivity((0, 1), (0, 1), 1)
    ((0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1))
    >>> product_connectivity((1,), (1, 2), 1, "full")
    ((1, 1, 0), (1, 1, 1), (1, 2, 1))
    """
    _check_rule("product_connectivity", rule)
    reach = max(degrees1) + max(degrees2)
    if not 0 <= lmax_out <= reach:
        raise ValueError(
            f"product_connectivity: degrees {degrees1} and {degrees2} cannot reach 0..{lmax_out}; "
            f"lmax_out must be from 0 to {reach}"
        )
    pairs = [(l1, l2) for l1 in degrees1 for l2 in degrees2]
    paths = []
    for l3 in range(lmax_out + 1):
        coupled = [pair for pair in pairs if _couples(*pair, l3)]
        if rule == "efficient":
            forest = _spanning_forest({(max(pair), min(pair)) for pair in coupled if pair[0] != pair[1]})
            coupled = [pair for pair in coupled if pair[0] == pair[1] or (max(pair), min(pair)) in forest]
        paths += [(l1, l2, l3) for l1, l2 in coupled]
    return tuple(paths)
