"""Make the example structures of holo-features from a folder of protein chains.

Run as ``python make_example_structures.py CHAINS``. CHAINS holds one PDB file for each chain, named ``<pdb
id>_<chain><anything>.pdb``: the first model, the first alternate location, amino acid residues, the coordinates of the
PDB entry, and hydrogens if the entry's file has them. Such a file can be cut from any PDB entry. The chains were chosen
by P-SEA composition (mostly helix, mostly sheet, or both) among chains of 50 to 300 residues in different clusters of
30 % identity.
"""

import gzip
import io
import sys
from pathlib import Path

from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFFile, compress, set_structure

DATA = Path(__file__).parents[1] / "src" / "holo_features" / "shipped"

SPECIAL = ("2g77_B", "1yea_A", "1i07_A", "1zr0_B", "2imm_A")  # MSE, M3L, H, H and insertion codes, the latter
# Mostly helix, mostly sheet, both.
HELIX = ("2b4j_C", "2wpt_A", "1rhg_A", "1us7_B", "3p57_P", "3v6z_F", "2dvw_B", "1bvc_A")
SHEET = ("1jzd_C", "1nqm_B", "1ten_A", "3kbh_E", "3wd5_A", "1vqb_A", "4b0m_B", "1hcf_B")
BOTH = (
    "4tn5_A",
    "2rn2_A",
    "1exb_E",
    "3nqn_A",
    "1y4y_A",
    "1c1y_A",
    "2hqs_H",
    "1ijk_A",
    "2c0l_B",
    "1ib1_E",
    "2b2x_A",
)
LONGER = ("1wdw_A", "3aaa_B", "1zhh_B", "1jtd_B", "1k5d_A", "2ny7_G", "3tnz_A", "4bfi_B")  # over 200 residues


def write_chain(source: Path, target: Path) -> None:
    """Write a PDB file's atoms as gzipped BinaryCIF, with the same bytes each time."""
    atoms = PDBFile.read(source).get_structure(model=1, extra_fields=["occupancy", "b_factor"])
    atoms.box = None  # a dummy in single-chain files
    file = BinaryCIFFile()
    set_structure(file, atoms, data_block=target.name.partition(".")[0])
    content = io.BytesIO()
    compress(file).write(content)
    target.write_bytes(gzip.compress(content.getvalue(), mtime=0))


def main(chains: Path) -> None:
    """Write every example structure."""
    DATA.mkdir(exist_ok=True)
    for name in (*SPECIAL, *HELIX, *SHEET, *BOTH, *LONGER):
        write_chain(next(iter(sorted(chains.glob(f"{name}*.pdb")))), DATA / f"{name}.bcif.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
