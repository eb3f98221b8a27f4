"""``holo-downstream index`` and ``holo-downstream search``."""

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from holo_downstream.search.building import Standard
from holo_downstream.search.index import Other, SearchIndex
from holo_downstream.search.index_files import read_search_index, with_clusters, write_search_index
from holo_downstream.search.neighbors import Neighbors, search_residues, write_neighbors
from holo_downstream.search.residues import residue_names, site_rows
from holo_downstream.search.sites import search_sites, write_site_hits
from holo_downstream.vectors.embedding_files import read_embeddings
from holo_types import Embeddings
from holo_types.console import OK, say
from holo_types.options import IN_LINES, Count, Flag, SummaryOptions, Together

__all__ = ["SearchOptions", "index_command", "search_and_show", "search_command"]


@attrs.frozen
class SearchOptions:
    """The residues to search among, and the output of a search.

    Parameters
    ----------
    other
        Residues to leave out: structure, those of the query's own structure; cluster, those of its whole cluster, if
        the index knows it; or none.
    any_type
        Search for residues of any type, not only of the query's type.
    count
        Maximum number of hits.
    out
        CSV file for the hits; for sites, with the rotation and translation that superpose each on the query.
    """

    other: Other = "structure"
    any_type: Flag = False
    count: Count = 20
    out: Path | None = None


_NO_OPTIONS = SearchOptions()


def index_command(
    embeddings: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    out: Path,
    clusters: Path | None = None,
    standard: Standard = "standardized",
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Make embeddings searchable: write an index in which similar sites and residues can be found.

    This takes minutes for a thousand proteins, because random sites of them show what is found by chance. Beyond a
    million residues it needs the extra search.

    Parameters
    ----------
    embeddings
        HDF5 files, Parquet tables, or folders of Parquet parts, all from one model.
    out
        A new folder for the index.
    clusters
        CSV file with the columns structure and cluster, of related proteins: chance is then estimated from unrelated
        proteins, and a search can leave out the query's cluster.
    standard
        How distances are measured: standardized, each dimension of z by its variance; or whitened, by the covariance.
    """
    read = read_embeddings(embeddings)
    index = write_search_index(
        read if clusters is None else with_clusters(read, clusters), out, standard=standard
    )
    structures = int(index.structures.max()) + 1
    say(
        f"{out}: {len(index)} residues of {structures} structures, by {index.model.name} {index.model.version}",
        residues=len(index),
        structures=structures,
        out=out,
    )
    return OK


def search_command(
    index: Path,
    embeddings: Path,
    /,
    *,
    residues: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")],
    structure: str | None = None,
    options: Annotated[SearchOptions, Together] = _NO_OPTIONS,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Find residues, or sites of several residues, that are similar to a query; E is the number expected by chance.

    For one residue, these are its nearest neighbors by z. For several, at most 20, these are sites with partners for
    three of them or more, similar in z and superposable in space.

    Parameters
    ----------
    index
        Folder that the command index wrote.
    embeddings
        HDF5 file, Parquet table, or folder of parts that contains the query, by the model of the index.
    residues
        Residues of the query, such as A:57,102,195, or A:57 B:12 for several chains.
    structure
        Structure of the embeddings that contains the query, if there are several.
    """
    search_and_show(read_search_index(index), read_embeddings([embeddings]), residues, structure, options)
    return OK


def search_and_show(
    index: SearchIndex,
    embeddings: Embeddings,
    residues: tuple[str, ...],
    structure: str | None,
    options: SearchOptions,
) -> None:
    """Search, print the hits, and write them to a file if one is requested."""
    rows = site_rows(embeddings.index, *residues, structure=structure)
    if len(rows) == 1:
        found = search_residues(
            index, embeddings[rows], count=options.count, other=options.other, any_type=options.any_type
        )
        say(*_neighbor_lines(found, index))
        if options.out is not None:
            write_neighbors(found, index, options.out)
        return
    sites = search_sites(
        index,
        embeddings,
        *residues,
        structure=structure,
        count=options.count,
        other=options.other,
        any_type=options.any_type,
    )
    say(
        *(f"{rank}. {hit}" for rank, hit in enumerate(sites.hits, start=1)),
        hits=[
            {"structure": hit.structure, "residues": hit.residues, "rmsd": hit.rmsd, "expected": hit.expected}
            for hit in sites.hits
        ],
    )
    if not sites.hits:
        say("no site has partners for three of the residues within an RMSD of 1.5 Å")
    if options.out is not None:
        write_site_hits(sites, options.out)


def _neighbor_lines(found: Neighbors, index: SearchIndex) -> list[str]:
    rows = found.rows[0][found.rows[0] >= 0]
    lines = []
    for rank, (row, name) in enumerate(zip(rows.tolist(), residue_names(index.index, rows), strict=True)):
        share, expected = found.p_values[0, rank], found.expected[0, rank]
        less = "<" if share <= found.least[0] else ""
        lines.append(
            f"{rank + 1}. {index.index['structure'][row]} {name}: distance {found.distances[0, rank]:.2f}, "
            f"p {less}{share:.2g}, E {less}{expected:.2g}"
        )
    return lines or ["the index has no residue to compare with"]
