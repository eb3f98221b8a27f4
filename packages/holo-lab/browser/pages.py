"""Pages for the tests in a browser: real residues, hostile names, and as many points as a page may have."""

from pathlib import Path

import attrs
import numpy as np

from holo_features.datasets import example_structures
from holo_lab.explore.columns import Categories
from holo_lab.explore.contents import Contents
from holo_lab.explore.making import Projection, make_contents
from holo_lab.explore.projection import PlaneMap
from holo_lab.explore.residues import MOST_ROWS, ExploredResidues
from holo_types import Index, ModelReference
from holo_vae import Model, embed, load

__all__ = ["HOSTILE", "hostile_contents", "many_contents", "real_contents"]

HOSTILE = (
    "</script><script>window.attacked=1</script>",
    '"><img src=x onerror="window.attacked=1">',
    "{{7*7}}'`&lt;",
)
DENSITY = ("2rn2_A A:48,70", "1bvc_A A:64,93")


def real_contents(count: int, projection: Projection, density: tuple[str, ...] = DENSITY) -> Contents:
    """Return the contents of a page of shipped structures, those with densities among them."""
    ordered = sorted(example_structures(), key=lambda path: not path.name.startswith(("2rn2", "1bvc")))
    paths: list[Path] = ordered[:count]
    model = load("microenvironment-z128", Model)
    embeddings = embed(paths, model)
    return make_contents(
        embeddings, paths, f"{count} protein chains", projection=projection, density=density, model=model
    )


def hostile_contents(contents: Contents) -> Contents:
    """Return the same contents with names that would be code if they were read as HTML."""
    rows = len(contents.residues)
    names = np.array([HOSTILE[row % len(HOSTILE)] for row in range(rows)])
    embeddings = contents.residues.embeddings
    index = Index({**embeddings.index, "chain": names, "insertion_code": names, "residue_name": names})
    count = len(contents.residues.structures)
    residues = attrs.evolve(
        contents.residues,
        embeddings=attrs.evolve(
            embeddings, index=index, model=ModelReference(HOSTILE[0], HOSTILE[1], "", "")
        ),
        structures=tuple(f"{HOSTILE[number % len(HOSTILE)]}{number}" for number in range(count)),
    )
    column = Categories(
        HOSTILE[0], HOSTILE[1], np.arange(rows) % len(HOSTILE), HOSTILE, ("#4477aa",) * len(HOSTILE)
    )
    columns = (column, *contents.columns)
    return attrs.evolve(contents, title=HOSTILE[0], residues=residues, columns=columns, note=HOSTILE[1])


def many_contents(contents: Contents) -> Contents:
    """Return 100,000 points that are drawn at random around those of a page."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(len(contents.residues), size=MOST_ROWS))
    residues = contents.residues
    points = contents.maps[0].points[rows]
    points = points + rng.normal(scale=0.03 * float(points.std()), size=points.shape)
    repeated = ExploredResidues(
        embeddings=residues.embeddings[rows],
        structures=residues.structures,
        structure_of_row=residues.structure_of_row[rows],
        first_atoms=residues.first_atoms,
        coordinates=residues.coordinates,
        kinds=residues.kinds,
        elements=residues.elements,
        alpha_atoms=residues.alpha_atoms[rows],
        secondary_structure=residues.secondary_structure[rows],
        burial=residues.burial[rows],
        has_plddt=False,
    )
    return attrs.evolve(
        contents,
        residues=repeated,
        maps=(PlaneMap("random", "random", "", points),),
        columns=tuple(
            attrs.evolve(one, codes=one.codes[rows])
            if isinstance(one, Categories)
            else attrs.evolve(one, values=one.values[rows])
            for one in contents.columns
        ),
        neighbors=rng.integers(MOST_ROWS, size=(MOST_ROWS, 10)),
        distances=np.sort(rng.uniform(size=(MOST_ROWS, 10)), axis=1),
        densities=None,
    )
