"""Encoding of structure files as holograms, one after the other."""

import pkgutil

import numpy as np
import pytest

import holo_features
from holo_features import encode_structures, neighborhoods, read_structure, zernike_transform
from holo_features.datasets import example_structures
from holo_types import Basis, FormatError, HoloError, Zernike

BASIS = Basis(2, Zernike(4, 9.0), ("C", "N", "O", "S"))


def test_equals_its_parts():
    path = example_structures()[3]
    (encoded,) = encode_structures([path], BASIS, secondary_structure=True)
    structure = read_structure(path)
    expected = zernike_transform(neighborhoods(structure, 9.0, secondary_structure=True), BASIS)
    assert encoded.holograms == expected
    assert (encoded.path, encoded.name, encoded.error) == (path, structure.name, None)


def test_one_bad_file_does_not_stop_the_others(tmp_path, write_pdb, residue):
    bad = tmp_path / "bad.cif"
    bad.write_text("nonsense")
    bare = write_pdb(*residue(names=("N", "C", "O")), name="bare.pdb")
    good = example_structures()[:2]
    results = list(encode_structures([good[0], bad, tmp_path / "missing.pdb", bare, good[1]], BASIS))
    assert [result.holograms is not None for result in results] == [True, False, False, False, True]
    assert isinstance(results[1].error, FormatError)
    assert "does not exist" in str(results[2].error)
    assert str(results[3].error) == f"{bare}: no residue has a neighborhood (it has no atom CA)"


def test_names_are_unique(tmp_path, residue):
    paths = []
    for folder, name in [("a", "1abc.pdb"), ("b", "1abc.pdb"), ("a", "2xyz.pdb")]:
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / name
        path.write_text("\n".join(residue()) + "\n")
        paths.append(path)
    results = list(encode_structures([*paths, paths[0]], BASIS))
    assert [result.name for result in results] == [str(paths[0]), str(paths[1]), "2xyz"]
    assert set(results[0].holograms.index["structure"].tolist()) == {str(paths[0])}


def test_what_is_done_is_passed_over():
    paths = example_structures()[:3]
    results = encode_structures(paths, BASIS, done={paths[1].name.partition(".")[0]})
    assert [result.path for result in results] == [paths[0], paths[2]]


def test_a_structure_at_a_time(tmp_path):
    # The second file is not even looked at before the first is taken.
    path = tmp_path / "later.pdb"
    results = encode_structures([example_structures()[0], path], BASIS)
    assert next(results).error is None
    path.write_text("too late to be missing")
    assert "no ATOM record" in str(next(results).error)


def test_skipped_residues_and_atoms_are_handed_on(write_pdb, residue, atom):
    path = write_pdb(
        *residue(), atom("XD1", (1.0, 1.0, 1.0), element="X"), *residue(number=2, names=("N", "C"), shift=4.0)
    )
    (encoded,) = encode_structures([path], BASIS)
    assert len(encoded.holograms) == 1
    assert [skipped.residue.residue_number for skipped in encoded.skipped] == [2]
    assert [left.atom_name for left in encoded.left_out_atoms] == ["XD1"]


def test_refuses_a_sphere():
    with pytest.raises(HoloError, match="of a sphere"):
        encode_structures([], Basis(2, None, ("C",)))


def test_an_element_that_is_no_channel_does_not_contribute():
    path = next(path for path in example_structures() if path.name.startswith("2g77"))
    with_selenium = Basis(2, Zernike(4, 9.0), ("C", "N", "O", "S", "SE"))
    (few,), (more,) = encode_structures([path], BASIS), encode_structures([path], with_selenium)
    for degree in range(3):
        block = more.holograms.degree(degree)
        shared = block.reshape(len(block), 5, -1)[:, :4]
        np.testing.assert_array_equal(shared.ravel(), few.holograms.degree(degree).ravel())
        assert block.reshape(len(block), 5, -1)[:, 4].any()


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="nonsense"):
        holo_features.nonsense  # noqa: B018
    assert set(holo_features.__all__) <= {*dir(holo_features)}
    for name in holo_features.__all__:
        assert getattr(holo_features, name) is not None


def test_no_public_name_is_hidden_by_a_module():
    # A submodule becomes an attribute of the package when it is imported, in place of a function of that name.
    modules = {module.name for module in pkgutil.iter_modules(holo_features.__path__)}
    assert modules & set(holo_features.__all__) == {"datasets"}
