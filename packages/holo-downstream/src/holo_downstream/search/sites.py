"""Sites of an index that are similar to a query or to part of it: residue by residue in z, and together in space."""

from pathlib import Path

import attrs
import numpy as np
from jaxtyping import Float, Int

from holo_downstream.matching.correspondences import Site
from holo_types import Embeddings, HoloError
from holo_types.files.csv_files import write_csv

from .directions import side_directions
from .index import Other, SearchIndex
from .matching import match_site
from .residues import residue_names, site_rows
from .site_chance import MOST_RESIDUES

__all__ = ["SiteHit", "SiteHits", "search_sites", "write_site_hits"]


@attrs.frozen(eq=False)
class SiteHit:
    """One site that is similar to the query.

    Parameters
    ----------
    structure
        The structure of the site.
    residues
        The partner of each residue of the query, such as ``"A:64 HIS"``; empty where it has none.
    rows : Int[ndarray, "k"]
        The partners as rows of the index, or -1.
    rmsd
        RMSD of the centers after superposition, in Å.
    distances, p_values : Float[ndarray, "k"]
        The distance of each pair of partners in scaled z, and the share of unrelated pairs that are as near; NaN where
        there is no partner.
    expected
        E, the number of clusters in which a random site of the same size has a hit as good by chance, or of structures
        if the index has no clusters; large values are not distinguished.
    at_least
        Whether `expected` is the smallest number that the index can resolve, and means "less than".
    rotation : Float[ndarray, "3 3"]
        R: R x + t moves the hit onto the query.
    translation : Float[ndarray, "3"]
        t, in Å.
    copies
        How many sites this hit represents: those of equal chains, or with most residues in common.
    """

    structure: str
    residues: tuple[str, ...]
    rows: Int[np.ndarray, "k"]
    rmsd: float
    distances: Float[np.ndarray, "k"]
    p_values: Float[np.ndarray, "k"]
    expected: float
    at_least: bool
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    copies: int

    def __str__(self) -> str:
        less = "<" if self.at_least else ""
        partners = [name for name in self.residues if name]
        part = "" if len(partners) == len(self.residues) else f"{len(partners)} of {len(self.residues)}, "
        return f"{self.structure} {', '.join(partners)}: {part}RMSD {self.rmsd:.2f} Å, E {less}{self.expected:.2g}"


@attrs.frozen(eq=False)
class SiteHits:
    """Sites that are similar to a query, the best first.

    Parameters
    ----------
    query
        The embeddings of the query.
    hits
        The sites that were found.
    """

    query: Embeddings
    hits: tuple[SiteHit, ...]


def search_sites(
    index: SearchIndex,
    embeddings: Embeddings,
    *residues: str,
    structure: str | None = None,
    count: int = 20,
    other: Other = "structure",
    any_type: bool = False,
) -> SiteHits:
    """Find sites whose residues are similar to those of a query in z, and are arranged alike in space.

    A hit has partners for at least three residues of the site (for both of two), in a single structure, with an RMSD of
    the centers of at most 1.5 Å. Its score improves with every further partner and combines how well the centers
    superpose, how well the directions of side chains agree (estimated from the centers before and after each residue),
    and the shares of unrelated residues that are as near in z. The significance of a score is calibrated with random
    sites of the index's own residues, of as many residues: E is the number of clusters in which they have a hit as
    good, or of structures if the index has no clusters.

    Parameters
    ----------
    index
        The index to search, made from embeddings with centers.
    embeddings
        Embeddings made by the model of the index, with the residues of the site and those before and after them in the
        chain, from which the directions of side chains are estimated.
    *residues
        The site, as for `select_site`: 2 to 20 residues.
    structure
        The structure in the embeddings; by default the only one.
    count
        The maximum number of sites.
    other
        Residues to leave out: ``"structure"``, those of the query's own structure; ``"cluster"``, those of its whole
        cluster; ``"none"``, no residues.
    any_type
        Allow partners of any type that are among the nearest twentieth in z, not only those of the same type.

    Raises
    ------
    HoloError
        If there are fewer than 2 residues or more than 20, one of them does not exist, another model made them, centers
        are unknown, or the query's cluster is to be left out but is unknown.

    Examples
    --------
    >>> from holo_downstream.search.building import build_search_index
    >>> from holo_types import ModelReference
    >>> rng = np.random.default_rng(0)
    >>> z, centers = rng.normal(size=(60, 8)), rng.uniform(0, 40, size=(60, 3))
    >>> z[33:36], centers[33:36] = z[3:6], centers[3:6] + 9.0  # a site of 1abc that 2xyz has too
    >>> rows = {"structure": np.repeat(["1abc", "2xyz"], 30), "chain": ["A"] * 60, "residue_number": range(60),
    ...         "insertion_code": [""] * 60, "residue_name": ["ALA", "SER"] * 30}
    >>> model, frames = ModelReference("demo", "1", "0" * 64, "0" * 64), np.tile(np.eye(3), (60, 1, 1))
    >>> embeddings = Embeddings(z, frames, model, rows, centers=centers)
    >>> best = search_sites(build_search_index(embeddings), embeddings, "A:3,4,5", structure="1abc").hits[0]
    >>> best.residues, round(best.rmsd, 3), best.translation.round(3).tolist()
    (('A:33 SER', 'A:34 ALA', 'A:35 SER'), 0.0, [-9.0, -9.0, -9.0])
    """
    rows = site_rows(embeddings.index, *residues, structure=structure)
    query = embeddings[rows]
    if len(query) < 2:
        raise HoloError(f"the site has {len(query)} residues; it must have at least two")
    if len(query) > MOST_RESIDUES:
        raise HoloError(
            f"the site has {len(query)} residues; it must have {MOST_RESIDUES} at most: name those that matter"
        )
    if embeddings.centers is None or index.centers is None or index.site_chance is None:
        whose = "query's" if embeddings.centers is None else "index's"
        raise HoloError(f"the {whose} embeddings have no centers; sites need them: embed the structures anew")
    types = query.index.column("residue_name").tolist()
    directions = side_directions(embeddings.index, embeddings.centers)[rows]
    site = Site(index.scaled(query), types, embeddings.centers[rows], directions)
    found = match_site(index, site, index.others(query, other), count, any_type=any_type)
    expected = index.site_chance.expected(len(query), found.scores, any_type=any_type)
    hits = [
        SiteHit(
            str(index.index["structure"][found.rows[number].max()]),
            _partners(index, found.rows[number]),
            found.rows[number],
            float(found.rmsd[number]),
            found.distances[number],
            found.p_values[number],
            float(expected[number]),
            bool(expected[number] <= index.site_chance.least),
            found.rotations[number],
            found.translations[number],
            int(found.copies[number]),
        )
        for number in range(len(found.rows))
    ]
    return SiteHits(query, tuple(hits))


def _partners(index: SearchIndex, rows: Int[np.ndarray, "k"]) -> tuple[str, ...]:
    return tuple(
        name if row >= 0 else ""
        for row, name in zip(rows.tolist(), residue_names(index.index, rows), strict=True)
    )


def write_site_hits(found: SiteHits, path: Path) -> None:
    """Write sites to a CSV file, one per line.

    The columns are rank, structure, residues, rmsd, expected, less_than (1 where the index cannot tell a smaller
    number), distances, p_values, copies, r_11 to r_33 and t_1 to t_3. Between the semicolons of residues, distances and
    p_values nothing stands for a residue without a partner.

    Parameters
    ----------
    found
        The sites.
    path
        The file, which appears completely or not at all.
    """
    motion = [f"r_{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)] + ["t_1", "t_2", "t_3"]
    write_csv(
        path,
        (
            *(
                "rank",
                "structure",
                "residues",
                "rmsd",
                "expected",
                "less_than",
                "distances",
                "p_values",
                "copies",
            ),
            *motion,
        ),
        (
            (
                rank,
                hit.structure,
                "; ".join(hit.residues),
                f"{hit.rmsd:.3f}",
                f"{hit.expected:.4g}",
                int(hit.at_least),
                _written(hit.distances),
                _written(hit.p_values),
                hit.copies,
                *(f"{value:.6f}" for value in (*hit.rotation.ravel(), *hit.translation)),
            )
            for rank, hit in enumerate(found.hits, start=1)
        ),
    )


def _written(values: Float[np.ndarray, "k"]) -> str:
    return "; ".join("" if np.isnan(value) else f"{value:.4g}" for value in values.tolist())
