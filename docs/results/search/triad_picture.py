"""The picture of docs/results/search.md: sites that chymotrypsin's triad finds, superposed on it.

    python docs/results/search/triad_picture.py DIR --out results/

DIR and results/ are those of triads.py, which runs first.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from triads import QUERIES, clustered

import holo_types
from holo_downstream import SiteHit, read_search_index, search_sites
from holo_features import read_structure
from holo_types import Embeddings
from holo_types.files.atomic import replacing

QUERY, NAMES = "1acb_E", ("His57", "Asp102", "Ser195")
SHOWN = {"1ppf_E": "elastase", "1sot_A": "DegS", "1cse_E": "subtilisin"}
PICTURE = Path(__file__).with_name("triads.webp")
_COLORS = {"C": "#2a9d8f", "N": "#2f62c9", "O": "#d3382f"}
_INK, _QUERY = "#3c4650", "#c3cad1"
_BOND = 1.95  # Å

Residue = tuple[NDArray[np.str_], NDArray[np.float64]]  # the elements and places of its atoms


def read_site(path: Path, names: Sequence[str]) -> list[Residue]:
    """Read the heavy atoms of residues, named as in hits: ``E:55 HIS``."""
    atoms = read_structure(path).atoms
    found = []
    for name in names:
        chain, number = name.split()[0].split(":")
        chosen = (atoms.chain_id == chain) & (atoms.res_id == int(number)) & (atoms.element != "H")
        found.append((atoms.element[chosen].astype(str), atoms.coord[chosen].astype(np.float64)))
    return found


def draw_site(axes: Axes, site: Sequence[Residue], width: float, color: str | None) -> None:
    """Draw the bonds of residues, each half in the color of its element unless one color is given."""
    for elements, places in site:
        apart = np.linalg.norm(places[:, None] - places, axis=2)
        for one, other in np.argwhere((apart > 0) & (apart < _BOND)):
            half = np.stack([places[one], (places[one] + places[other]) / 2])[:, :2]
            axes.plot(*half.T, color=color or _COLORS[elements[one]], lw=width, solid_capstyle="round")


def triad_figure(query: Sequence[Residue], found: Sequence[tuple[str, SiteHit, Sequence[Residue]]]) -> Figure:
    """Draw each site on the query, seen at right angles to the plane of the query's atoms."""
    every = np.concatenate([places for _, places in query])
    middle = every.mean(axis=0)
    axes_of_view = np.linalg.svd(every - middle)[2]

    def seen(site: Sequence[Residue]) -> list[Residue]:
        return [(elements, (places - middle) @ axes_of_view.T) for elements, places in site]

    figure = Figure(figsize=(9.6, 3.3), layout="constrained")
    panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (title, hit, site) in zip(panels, found, strict=True):
        moved = [(elements, places @ hit.rotation.T + hit.translation) for elements, places in site]
        draw_site(panel, seen(query), 6, _QUERY)
        draw_site(panel, seen(moved), 2.4, None)
        for name, (_, places) in zip(NAMES, seen(query), strict=True):
            x, y = places[:, 0].mean(), places[:, 1].min() - 0.9
            panel.text(x, y, name, color=_INK, fontsize=8, ha="center", va="top")
        panel.set_title(title, color=_INK, fontsize=10)
        panel.set_aspect("equal")
        panel.axis("off")
    return figure


def main() -> None:
    """Search, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with chains/ and index.tsv")
    parser.add_argument("--out", type=Path, required=True, help="folder with the embeddings and the index")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="file of the picture")
    given = parser.parse_args()
    embeddings = clustered(holo_types.load(given.out / "chains.h5", kind=Embeddings), given.folder, given.out)
    names = {name[:6]: name for name in embeddings.index["structure"].tolist()}
    hits = search_sites(
        read_search_index(given.out / "index"),
        embeddings,
        QUERIES[QUERY],
        structure=names[QUERY],
        other="cluster",
        count=1000,
    ).hits
    files = {name: given.folder / "chains" / f"{names[name]}.pdb" for name in (QUERY, *SHOWN)}
    chain, numbers = QUERIES[QUERY].split(":")
    query = read_site(files[QUERY], [f"{chain}:{number}" for number in numbers.split(",")])
    found = []
    for name, protein in SHOWN.items():
        rank, hit = next((rank, hit) for rank, hit in enumerate(hits, 1) if hit.structure == names[name])
        title = f"{rank}. {protein}\n{str(hit).rpartition(': ')[2]}"
        found.append((title, hit, read_site(files[name], hit.residues)))
    with replacing(given.picture) as new:
        triad_figure(query, found).savefig(new, format="webp", dpi=110)


if __name__ == "__main__":
    main()
