"""``holo explore``."""

# ruff: noqa: PLC0415

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from holo_types import HoloError
from holo_types.console import OK, progress, say
from holo_types.files.locks import PathLock
from holo_types.options import IN_LINES, OptionalNames, Output, SummaryOptions

__all__ = ["explore_command"]


def explore_command(
    embeddings: Path,
    /,
    *structures: Path,
    out: Output,
    projection: Literal["umap", "pca"] = "umap",
    density: OptionalNames = None,
    model: str = "",
    seed: Annotated[int, Parameter(validator=Number(gte=0, lte=2**32 - 1))] = 0,
    summary: SummaryOptions = IN_LINES,
) -> int:
    """Write a page for exploring residues, with a map of z, the surroundings of each residue and its neighbors.

    The page is one HTML file of at most 15 MB that opens offline in any browser. It holds up to 100,000 residues. If
    the atoms around them do not fit, the page has no 3D view and says so. Exit status: 0, the page was written; 1, it
    was not; 2, wrong usage.

    Parameters
    ----------
    embeddings
        HDF5 file, Parquet table, or folder of Parquet files written by embed.
    structures
        The structure files that were embedded, or folders or archives of them.
    out
        HTML file for the page.
    projection
        Map that is shown first: umap, with pca as an alternative on the page; or pca alone, which takes a second and
        needs no library. UMAP needs the extra umap.
    density
        Residues, at most 200, whose true and reconstructed densities are shown, such as "1abc A:57,102".
    model
        Name of a model that comes with holo-vae, folder of a model, or models:/NAME@ALIAS.
    seed
        Seed of UMAP and of the clusters of z.
    """
    from holo_downstream import read_embeddings
    from holo_features.encoding.files import structure_files
    from holo_lab.explore.making import make_contents
    from holo_lab.explore.page import write_explore_page
    from holo_vae import Model, load, shipped_models

    if out.suffix != ".html":
        raise HoloError(f"--out is {out}; it must end in .html")
    if not structures:
        raise HoloError(
            "say where the structures are that were embedded: files, or folders or archives of them"
        )
    with PathLock(out) as lock:
        read = read_embeddings([embeddings])
        made_by = read.model.name
        if density and not model and made_by not in shipped_models():
            raise HoloError(
                f"{embeddings}: its model, {made_by} {read.model.version}, does not come with holo-vae; say where it "
                "is by --model"
            )
        paths, _ = structure_files(structures)
        names = set(read.index["structure"].tolist()) if "structure" in read.index else set()
        with progress(len(names), "structures") as advance:
            contents = make_contents(
                read,
                paths,
                embeddings.stem,
                projection=projection,
                density=density or (),
                model=load(model or made_by, Model) if density else None,
                seed=seed,
                advance=advance,
            )
        lock.check()
        atoms = write_explore_page(contents, out)
    lines = [
        f"{len(contents.residues)} residues of {len(contents.residues.structures)} structures, "
        f"{' and '.join(plane.title for plane in contents.maps)}: {out}, {out.stat().st_size / 1e6:.1f} MB"
    ]
    if contents.note:
        lines.append(contents.note)
    if not atoms:
        lines.append(
            "3D is left out, since the page would have more than 15 MB with it; give fewer residues to have it"
        )
    say(*lines, residues=len(contents.residues), structures=len(contents.residues.structures), out=out)
    return OK
