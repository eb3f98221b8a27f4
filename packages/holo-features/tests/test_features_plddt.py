"""B-factors in the index, and the choice of centers by a predictor's confidence."""

import csv

import numpy as np
import pytest
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import BinaryCIFCategory, BinaryCIFFile, CIFCategory, CIFFile, set_structure

import holo_types
from holo_features import Encoding, Selection, alpha_carbons, encode_structures, neighborhoods, read_structure
from holo_features.cli.program import main
from holo_features.datasets import example_structures
from holo_features.structures.confidence import Confidence
from holo_types import Basis, HoloError, Zernike

EXAMPLE = {path.name.partition(".")[0]: path for path in example_structures()}["1ten_A"]
BASIS = Basis(lmax=1, radial=Zernike(nmax=1, cutoff=10.0), channels=("C", "N", "O", "S"))
MODELCIF = {
    "id": ["1", "2"],
    "mode": ["global", "local"],
    "name": ["pLDDT", "pLDDT"],
    "type": ["pLDDT", "pLDDT"],
}


@pytest.fixture(scope="module")
def chain():
    atoms = read_structure(EXAMPLE).atoms
    numbers = np.unique(atoms.res_id)
    # Certain and less so by turns, from 40 to 98.
    of = dict(zip(numbers.tolist(), (40 + 58 * np.abs(np.sin(np.arange(len(numbers))))).round(), strict=True))
    atoms.set_annotation("b_factor", np.array([of[number] for number in atoms.res_id.tolist()]))
    return atoms


def expected(chain):
    starts = np.flatnonzero(np.diff(chain.res_id, prepend=-999))
    return chain.b_factor[starts]


@pytest.fixture(params=[".pdb", ".cif", ".bcif"])
def write(request, tmp_path):
    def make(atoms, metric=None, name="predicted"):
        path = tmp_path / f"{name}{request.param}"
        if request.param == ".pdb":
            file = PDBFile()
            file.set_structure(atoms)
        else:
            file = (CIFFile if request.param == ".cif" else BinaryCIFFile)()
            set_structure(file, atoms)
            if metric is not None:
                content = file.block["atom_site"]
                del file.block["atom_site"]
                category = (CIFCategory if request.param == ".cif" else BinaryCIFCategory)(metric)
                file.block["ma_qa_metric"] = category
                file.block["atom_site"] = content
        file.write(path)
        return path

    return make


def encoded(path, **options):
    (one,) = encode_structures([path], BASIS, encoding=Encoding(**options))
    return one


def test_b_factors_are_a_column_of_the_index(write, chain):
    path = write(chain)
    index = alpha_carbons(read_structure(path)).index
    np.testing.assert_allclose(index["b_factor"], expected(chain), atol=0.01)
    one = encoded(path)
    assert one.holograms.index["b_factor"].dtype == np.float64
    np.testing.assert_allclose(one.holograms.index["b_factor"], expected(chain), atol=0.01)


def test_it_is_the_mean_of_heavy_atoms(write, chain):
    """Some predictors write a value for each atom; hydrogens do not count."""
    atoms = chain.copy()
    atoms.b_factor = np.random.default_rng(0).uniform(0, 99, len(atoms)).round(2)
    residues = np.cumsum(np.diff(atoms.res_id, prepend=atoms.res_id[0]) != 0)
    means = np.bincount(residues, weights=atoms.b_factor) / np.bincount(residues)
    hydrogen = atoms[:1].copy()
    hydrogen.element[:], hydrogen.atom_name[:], hydrogen.coord[:], hydrogen.b_factor[:] = (
        "H",
        "H",
        atoms.coord[0] + 0.6,
        0,
    )
    with_hydrogen = hydrogen + atoms
    index = alpha_carbons(read_structure(write(with_hydrogen), Selection(hydrogens=True))).index
    np.testing.assert_allclose(index["b_factor"], means, atol=0.01)


def test_a_file_without_b_factors_has_nan(write_pdb, residue):
    lines = [line[:54] for line in residue()] + [
        line[:60] + "******" + line[66:] for line in residue(number=2, shift=4.0)
    ]
    index = neighborhoods(read_structure(write_pdb(*lines))).index
    assert np.isnan(index["b_factor"]).tolist() == [True, True]


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_centers_below_the_minimum_are_left_out_and_named(write, chain, drop, scale):
    atoms = chain.copy()
    atoms.b_factor = chain.b_factor * scale
    path = write(atoms, MODELCIF)
    said = path.suffix == ".pdb"
    confidence = Confidence(minimum=70.0, in_b_factors=said, drop_neighbors=drop)
    one, everything = encoded(path, confidence=confidence), encoded(path)
    certain = expected(chain) >= 70
    assert len(one.holograms) == certain.sum()
    assert (
        one.holograms.index["residue_number"].tolist()
        == everything.holograms.index["residue_number"][certain].tolist()
    )
    assert len(one.skipped) == (~certain).sum()
    assert all("at least 70 is asked for" in skipped.reason for skipped in one.skipped)
    same = np.array_equal(one.holograms.coefficients, everything.holograms.coefficients[certain])
    assert same == (not drop)  # they stay neighbors, unless they are dropped
    assert [remark.reason for remark in one.remarks] == (
        ["its pLDDT, from 0 to 1, was taken times 100"] if scale < 1 else []
    )


def test_dropped_neighbors_are_as_if_they_were_not_there(write, chain):
    path = write(chain, MODELCIF)
    confidence = Confidence(minimum=70.0, in_b_factors=True, drop_neighbors=True)
    kept = chain[np.isin(chain.res_id, np.unique(chain.res_id)[expected(chain) >= 70])]
    np.testing.assert_array_equal(
        encoded(path, confidence=confidence).holograms.coefficients,
        encoded(write(kept, name="kept")).holograms.coefficients,
    )


@pytest.mark.parametrize(
    ("metric", "known"),
    [
        (None, False),
        (MODELCIF, True),
        ({**MODELCIF, "type": ["other", "other"], "name": ["pLDDT", "plddt"]}, True),
        ({**MODELCIF, "type": ["pLDDT", "pLDDT all-atom in [0,1]"]}, True),
        ({**MODELCIF, "name": ["pLDDT", "PAE"], "type": ["pLDDT", "PAE"]}, False),
        ({"id": ["1"], "mode": ["global"], "name": ["pLDDT"], "type": ["pLDDT"]}, False),
    ],
)
def test_only_what_is_known_to_be_plddt_is_taken_for_it(write, chain, metric, known):
    path = write(chain, metric)
    one = encoded(path, confidence=Confidence(minimum=70.0))
    if known and path.suffix != ".pdb":
        assert one.error is None
    else:
        assert "its B-factors are not known to be pLDDT" in str(one.error)
    assert encoded(path, confidence=Confidence(minimum=70.0, in_b_factors=True)).error is None


@pytest.mark.parametrize(("shift", "said"), [(30.0, "from 70 to 1"), (-50.0, "from -10 to")])
def test_what_is_beyond_100_is_not_plddt(write, chain, shift, said):
    atoms = chain.copy()
    atoms.b_factor = chain.b_factor + shift
    one = encoded(write(atoms), confidence=Confidence(minimum=70.0, in_b_factors=True))
    assert said in str(one.error)


def test_options_of_the_command(write, chain, tmp_path, capsys):
    path = write(chain, MODELCIF)
    out = tmp_path / "out.h5"
    options = ["--lmax", "1", "--nmax", "1", "--minimum-plddt", "70"]
    said = ["--b-factors-are-plddt"] if path.suffix == ".pdb" else []
    if said:
        assert main(["structures", str(path), "--out", str(out), *options]) == 1
        assert "not known to be pLDDT" in capsys.readouterr().err
    assert main(["structures", str(path), "--out", str(out), *options, *said, "--drop-neighbors"]) == 0
    assert len(holo_types.load(out)) == (expected(chain) >= 70).sum()
    with (tmp_path / "out.skipped.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == (expected(chain) < 70).sum()
    assert main(["structures", str(path), "--out", str(out), "--drop-neighbors"]) == 1
    assert "which is not given" in capsys.readouterr().err


def test_a_minimum_that_is_no_plddt():
    with pytest.raises(HoloError, match=r"minimum is 170\.0; it must be from 0 to 100"):
        Confidence(minimum=170.0)
