"""Protein-ligand complexes: tables of files, the pocket, its neighborhoods."""

import csv
import pickle
from pathlib import Path

import attrs
import gemmi
import numpy as np
import pytest
from biotite.structure import AtomArray
from biotite.structure.info import residue
from biotite.structure.io.mol import SDFile, SDRecord

from holo_features import neighborhoods, read_structure
from holo_features.complexes.complex import Complex, SkippedComplex, complex_neighborhoods, pocket
from holo_features.complexes.ligands import Ligand
from holo_features.complexes.sets import find_complexes, read_complex, read_complexes
from holo_features.complexes.tables import ComplexColumns, ComplexFiles
from holo_features.datasets import example_structures
from holo_features.structures.charges import partial_charges
from holo_features.structures.surface import surface_areas
from holo_features.surroundings.centers import alpha_carbons
from holo_features.transforms.zernike import zernike_transform
from holo_types import Basis, FormatError, HoloError, Zernike

PROTEIN = read_structure(example_structures()[0])


def ligand_at(place, name="EOH"):
    """Return a small molecule about a position, with heavy atoms as in `read_ligand`."""
    atoms = residue(name)
    atoms = atoms[atoms.element != "H"]
    atoms.coord += np.asarray(place, dtype=np.float32) - atoms.coord.mean(axis=0)
    return atoms


@pytest.fixture(name="bound")
def _bound():
    """Return ethanol, 4 Å from the first residue's N."""
    return Complex(
        "1abc", PROTEIN, Ligand("EOH", ligand_at(PROTEIN.atoms.coord[0] + [4, 0, 0])), 6.5, "train"
    )


@pytest.fixture(name="folder")
def _folder(tmp_path, write_pdb, residue):
    """Return a table of two complexes, and a third whose ligand is missing."""
    write_pdb(*residue(), *residue(number=2, shift=4.0), *residue(number=3, shift=40.0), name="protein.pdb")
    file = SDFile()
    for name, place in (("17", (2, 3, 0)), ("chlorine", (6, 3, 0))):
        atoms = ligand_at(place)
        atoms.element[0] = "CL" if name == "chlorine" else atoms.element[0]
        atoms.set_annotation("charge", np.zeros(len(atoms), dtype=int))
        record = SDRecord()
        atoms.element = np.char.title(atoms.element)
        record.set_structure(atoms)
        record.header.mol_name = name
        file[name] = record
    file.write(tmp_path / "ligands.sdf")
    rows = [
        ["id", "protein", "ligand", "molecule", "pK", "split"],
        ["first", "protein.pdb", "ligands.sdf", "", "6.5", "train"],
        ["second", "protein.pdb", "ligands.sdf", "chlorine", "", ""],
        ["third", "protein.pdb", "nowhere.sdf", "", "1e-3", "test"],
    ]
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)
    return tmp_path


# The pocket


def test_the_pocket_is_found_by_every_distance(bound):
    atoms, ligand = PROTEIN.atoms, bound.ligand.atoms
    for distance in (4.5, 6.0, 9.0):
        near = (
            np.linalg.norm(atoms.coord[:, None].astype(float) - ligand.coord[None], axis=2).min(axis=1)
            <= distance
        )
        numbers = set(atoms.res_id[near].tolist())
        found = pocket(bound, distance)
        assert numbers
        assert set(atoms.res_id[found].tolist()) == numbers
        np.testing.assert_array_equal(found, np.isin(atoms.res_id, list(numbers)))  # whole residues


def test_the_distance_itself_is_near_and_water_is_no_residue(write_pdb, residue, atom):
    structure = read_structure(
        write_pdb(*residue(names=("N", "CA", "C", "O")), *residue(number=2, shift=20.0))
    )
    alone = AtomArray(1)
    alone.element[:] = "C"
    alone.coord[:] = [0.0, 0.0, 6.0]
    complex_ = Complex("made", structure, Ligand("C", alone))
    assert set(structure.atoms.res_id[pocket(complex_, 6.0)].tolist()) == {1}
    assert not pocket(complex_, 5.9).any()
    water = structure.atoms.copy()
    water.set_annotation("amino_acid", np.zeros(len(water), dtype=bool))
    assert not pocket(attrs.evolve(complex_, protein=attrs.evolve(structure, atoms=water)), 6.0).any()


# Neighborhoods


def test_neighborhoods_of_the_pocket_have_the_ligand(bound):
    found = complex_neighborhoods(bound, 8.0, ("C", "N", "O", "S")).clouds
    protein = neighborhoods(PROTEIN, 8.0, centers=alpha_carbons(PROTEIN, pocket(bound)))
    assert set(found.index["structure"].tolist()) == {"1abc"}
    assert found.index["residue_number"].tolist() == protein.index["residue_number"].tolist()
    ligand = bound.ligand.atoms
    seen = 0
    for i in range(len(found)):
        center = PROTEIN.atoms.coord[
            (PROTEIN.atoms.res_id == found.index["residue_number"][i]) & (PROTEIN.atoms.atom_name == "CA")
        ][0].astype(float)
        near = np.linalg.norm(ligand.coord - center, axis=1) <= 8.0
        own, both = protein[i : i + 1], found[i : i + 1]
        # The ligand's atoms come last.
        np.testing.assert_array_equal(both.coordinates[: len(own.coordinates)], own.coordinates)
        np.testing.assert_allclose(
            both.coordinates[len(own.coordinates) :] + center, ligand.coord[near], atol=1e-6
        )
        seen += near.sum()
    assert seen > 0


def test_the_ligand_hides_surface_and_keeps_its_own_charges(bound):
    clouds = complex_neighborhoods(bound, 20.0, ("sasa", "charge"), pocket_distance=4.5).clouds
    free = surface_areas(PROTEIN.atoms).sum() + surface_areas(bound.ligand.atoms).sum()
    everything = complex_neighborhoods(bound, 500.0, ("sasa",), pocket_distance=4.5).clouds[:1]
    assert len(clouds)
    assert everything.weights.sum() < free - 50
    charges = (
        complex_neighborhoods(bound, 500.0, ("other", "charge"), pocket_distance=4.5).clouds[:1].weights[:, 1]
    )
    np.testing.assert_allclose(charges[-3:], partial_charges(bound.ligand.atoms), atol=1e-6)
    # The Cα at the center is the one atom that is not there.
    alpha = alpha_carbons(PROTEIN, pocket(bound, 4.5)).atoms[0]
    expected = np.delete(partial_charges(PROTEIN.atoms), alpha)
    np.testing.assert_allclose(charges[:-3], expected, atol=1e-6)


SIDED = ("protein:C", "protein:other", "ligand:C", "ligand:other", "water:O", "metal:other")


def test_each_atom_is_in_the_channel_of_its_side():
    protein = PROTEIN.atoms[:40].copy()
    protein.res_name[30:], protein.amino_acid[30:] = "HEM", False
    protein.element[30], protein.element[31] = "FE", "C"
    protein.water[38:], protein.element[38:] = True, "O"
    ethanol = ligand_at(protein.coord[0] + [4, 0, 0])
    ethanol.element[0] = "ZN"  # a metal of the ligand is the ligand's
    small = Complex("1abc", attrs.evolve(PROTEIN, atoms=protein), Ligand("EOH", ethanol))
    clouds = complex_neighborhoods(small, 500.0, SIDED, pocket_distance=9.0).clouds[:1]
    heavy = ethanol.element
    assert (
        dict(zip(SIDED, clouds.weights.sum(axis=0).tolist(), strict=True))
        == {
            "protein:C": (protein.element[:38] == "C").sum() - 1,  # without the Cα at the center
            "protein:other": (~np.isin(protein.element[:38], ["C", "FE"])).sum(),
            "ligand:C": (heavy == "C").sum(),
            "ligand:other": (heavy != "C").sum(),
            "water:O": 2,
            "metal:other": 1,
        }
    )


def test_sides_beside_elements_take_their_atoms_from_them(bound):
    plain = complex_neighborhoods(bound, 8.0, ("C", "O")).clouds
    sided = complex_neighborhoods(bound, 8.0, ("C", "O", "ligand:C")).clouds
    np.testing.assert_array_equal(sided.weights[:, 0] + sided.weights[:, 2], plain.weights[:, 0])
    np.testing.assert_array_equal(sided.weights[:, 1], plain.weights[:, 1])
    assert 0 < sided.weights[:, 2].sum() < plain.weights[:, 0].sum()


# What the ligand adds


@pytest.mark.parametrize("centers", ["pocket", "ligand"])
def test_bound_minus_unbound_is_what_the_ligand_adds(bound, centers):
    basis = Basis(
        lmax=3, radial=Zernike(nmax=6, cutoff=9.0), channels=("C", "N", "O", "ligand:O", "sasa", "charge")
    )

    def hologram(state):
        clouds = complex_neighborhoods(
            bound, 9.0, basis.channels, centers=centers, ligand_atoms=state, pocket_distance=4.5
        ).clouds
        return zernike_transform(clouds, basis, np.float64)

    there, without, added = map(hologram, ("bound", "unbound", "difference"))
    assert there.index == without.index == added.index
    scale = np.abs(there.coefficients).max()
    np.testing.assert_allclose(
        added.coefficients, there.coefficients - without.coefficients, rtol=0, atol=1e-6 * scale
    )  # areas and charges are float32
    assert np.abs(added.coefficients).max() > 1e-3 * scale


def test_unbound_surroundings_are_those_of_the_protein_alone(bound):
    channels = ("C", "N", "O", "S", "sasa")
    unbound = complex_neighborhoods(bound, 8.0, channels, ligand_atoms="unbound").clouds
    alone = neighborhoods(PROTEIN, 8.0, channels, centers=alpha_carbons(PROTEIN, pocket(bound)))
    np.testing.assert_array_equal(unbound.coordinates, alone.coordinates)
    np.testing.assert_array_equal(unbound.weights, alone.weights)


def test_ligand_atoms_are_centers(bound):
    ligand = bound.ligand.atoms
    hydrogen = residue("EOH")[-1:]
    hydrogen.coord = ligand.coord[:1] + 1
    with_hydrogen = attrs.evolve(bound, ligand=Ligand("EOH", ligand + hydrogen))
    found = complex_neighborhoods(with_hydrogen, 7.0, SIDED, centers="ligand")
    assert found.clouds.index["atom_name"].tolist() == ligand.atom_name.tolist()
    assert found.clouds.index["element"].tolist() == ligand.element.tolist()
    np.testing.assert_allclose(found.clouds.centers, ligand.coord, atol=1e-6)
    for number, place in enumerate(ligand.coord.astype(float)):
        near = np.linalg.norm(PROTEIN.atoms.coord - place, axis=1) <= 7.0
        cloud = found.clouds[number : number + 1]
        assert cloud.weights[:, :2].sum() == near.sum()
        assert cloud.weights[:, 2:4].sum() == len(ligand) - 1 + 1  # but the center, and the hydrogen
    bare = complex_neighborhoods(with_hydrogen, 7.0, SIDED, centers="ligand", central_residue=False).clouds
    assert not bare.weights[:, 2:4].any()


def test_the_listed_pocket_is_taken_when_asked_for(bound):
    listed = PROTEIN.atoms.res_id == PROTEIN.atoms.res_id[50]
    clouds = complex_neighborhoods(attrs.evolve(bound, listed_pocket=listed), pocket_distance=None).clouds
    assert clouds.index["residue_number"].tolist() == [PROTEIN.atoms.res_id[50]]
    with pytest.raises(
        HoloError, match=r"complex 1abc: its data set lists no pocket; give a pocket distance"
    ):
        complex_neighborhoods(bound, pocket_distance=None)


def test_a_ligand_that_is_far_away_has_no_pocket(bound):
    far = attrs.evolve(bound, ligand=Ligand("EOH", ligand_at((500, 0, 0))))
    with pytest.raises(
        HoloError, match=r"complex 1abc: no amino acid residue has an atom within 6 Å of the ligand"
    ):
        complex_neighborhoods(far)


def test_complexes_that_cannot_be_are_refused(bound):
    with pytest.raises(HoloError, match="complex 1abc: its ligand has no atom"):
        attrs.evolve(bound, ligand=Ligand("EOH", AtomArray(0)))
    with pytest.raises(
        HoloError, match=r"complex 1abc: listed_pocket is .* it must be a mask of the protein's atoms"
    ):
        attrs.evolve(bound, listed_pocket=np.ones(3, dtype=bool))


# Tables


def test_a_folder_with_a_table_is_read_complex_by_complex(folder):
    first, second, third = read_complexes(folder, ComplexColumns(label="pK"))
    assert (first.name, first.label, first.split) == ("first", 6.5, "train")
    assert (second.name, second.label, second.split) == ("second", None, None)
    assert first.protein.name == "first"
    np.testing.assert_allclose(first.ligand.atoms.coord.mean(axis=0), [2, 3, 0], atol=1e-3)
    assert "CL" in second.ligand.atoms.element
    assert len(complex_neighborhoods(first, pocket_distance=4.0).clouds) == 2
    # One that cannot be read is named, and the others go on.
    assert isinstance(third, SkippedComplex)
    assert third.name == "third"
    assert "nowhere.sdf" in third.reason


def test_a_molecule_is_found_by_its_name_also_if_that_is_a_number(folder):
    source = ComplexFiles("x", folder / "protein.pdb", folder / "ligands.sdf", "17")
    np.testing.assert_allclose(read_complex(source).ligand.atoms.coord.mean(axis=0), [2, 3, 0], atol=1e-3)


def test_sources_can_be_sent_to_other_processes(folder):
    found = find_complexes(folder / "labels.csv", ComplexColumns(label="pK"))
    assert pickle.loads(pickle.dumps(found)) == found
    assert [source.name for source in found.sources] == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("row", "name", "reason"),
    [
        ("a,p.pdb,l.sdf,6,", "a", "row 3 has the id of row 2"),
        (",p.pdb,l.sdf,6,", "row 3", "it has no id"),
        ("b,,l.sdf,6,", "b", "row 3 has no protein file"),
        ("b,p.pdb", "b", "row 3 has no ligand file"),
        ("b,p.pdb,l.sdf,high,", "b", "its label is 'high'; it must be a finite number"),
        ("b,p.pdb,l.sdf,nan,", "b", "its label is 'nan'; it must be a finite number"),
    ],
)
def test_a_bad_row_is_skipped_by_name(tmp_path, row, name, reason):
    table = tmp_path / "table.csv"
    table.write_text(
        f"id,protein,ligand,label,split\na,p.pdb,l.sdf,5,\n{row}\nz,p.pdb,l.sdf,5,\n", encoding="utf-8"
    )
    found = find_complexes(table)
    assert [source.name for source in found.sources] == ["a", "z"]
    assert found.skipped == (SkippedComplex(name, reason),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,protein,ligand\n", r"it has no column 'id' \(id\); it has name, protein, ligand"),
        (b"", r"it has no column 'id'"),
        (b"id,protein,ligand\na,\xff,b\n", "it is not a CSV file in UTF-8"),
        (b'id,protein,ligand\n"a,b,c\n', "it is not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, message):
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        find_complexes(table)


def test_a_column_that_is_named_must_be_there(folder):
    with pytest.raises(FormatError, match=r"it has no column 'Kd' \(label\)"):
        find_complexes(folder, ComplexColumns(label="Kd"))


def test_a_folder_must_have_one_table(folder):
    (folder / "more.csv").write_text("id\n", encoding="utf-8")
    with pytest.raises(FormatError, match=r"must hold one CSV file .* it has labels\.csv, more\.csv"):
        find_complexes(folder)
    with pytest.raises(FormatError, match="does not exist"):
        find_complexes(folder / "nothing.csv")


# Real complexes, read by gemmi beside


def ligand_atoms(text):
    """Return the elements and positions of the heavy atoms of a V2000 block."""
    lines = text.split("\n")
    rows = [line.split()[:4] for line in lines[4 : 4 + int(lines[3][:3])]]
    return [
        (element, np.array([float(x), float(y), float(z)])) for x, y, z, element in rows if element != "H"
    ]


def alpha_of(residue_):
    """Return a residue's Cα, or None if it has none."""
    return residue_.find_atom("CA", "*", gemmi.Element("C"))


def heavy_atoms(residue_):
    """Return elements and positions."""
    return [(a.element.name, np.array(a.pos.tolist())) for a in residue_ if not a.is_hydrogen()]


def test_real_complexes_are_as_gemmi_sees_them():
    table = Path(__file__).parent / "golden" / "complexes"
    chains = gemmi.read_pdb(str(table / "thrombin.pdb"))[0]
    residues = [(chain, found) for chain in chains for found in chain if alpha_of(found)]
    atoms = [pair for _, found in residues for pair in heavy_atoms(found)]
    blocks = (table / "ligands.sdf").read_text(encoding="utf-8").split("$$$$\n")
    complexes = list(read_complexes(table, ComplexColumns(label="dG")))
    assert [complex_.name for complex_ in complexes] == ["thrombin-1a", "thrombin-1b", "thrombin-6a"]
    assert [complex_.label for complex_ in complexes] == [-7.48, -8.46, -9.18]
    for complex_, block in zip(complexes, blocks, strict=False):
        ligand = ligand_atoms(block)
        assert complex_.ligand.atoms.element.tolist() == [element.upper() for element, _ in ligand]
        near = [
            (chain.name, found.seqid.num, found.seqid.icode.strip(), np.array(alpha_of(found).pos.tolist()))
            for chain, found in residues
            if min(np.linalg.norm(p - q) for _, p in heavy_atoms(found) for _, q in ligand) <= 6.0
        ]
        channels = ("C", "N", "O", "S", "other")
        clouds = complex_neighborhoods(complex_, 8.0, channels).clouds
        columns = [clouds.index[name].tolist() for name in ("chain", "residue_number", "insertion_code")]
        assert list(zip(*columns, strict=True)) == [row[:3] for row in near]
        for i, (*_, alpha) in enumerate(near):
            around = [(e, p - alpha) for e, p in atoms] + [(e.upper(), p - alpha) for e, p in ligand]
            inside = [(e, p) for e, p in around if 1e-9 < np.linalg.norm(p) <= 8.0]
            cloud = clouds[i : i + 1]
            np.testing.assert_allclose(cloud.coordinates, [p for _, p in inside], atol=1e-5)
            found = [channels[column] for column in cloud.weights.argmax(axis=1)]
            assert found == [e if e in channels else "other" for e, _ in inside]
    assert "CL" in {e for complex_ in complexes for e in complex_.ligand.atoms.element.tolist()}


def test_a_protein_in_pdbqt_is_the_same(tmp_path, write_pdb, atom):
    names = {
        "N": ("N", "N"),
        "CA": ("C", "C"),
        "C": ("C", "C"),
        "O": ("O", "OA"),
        "SD": ("S", "SA"),
        "NA": ("N", "NA"),
    }
    places = {name: (1.5 * i, 0.3 * i, -i) for i, name in enumerate(names)}
    records = [
        atom(name, places[name], residue="MET", element=element) for name, (element, _) in names.items()
    ]
    polar = atom("HN", (0.0, 1.0, 0.0), residue="MET", element="H")
    expected = read_structure(write_pdb(*records))
    lines = [
        record[:70] + f"{-0.1:6.3f} {kind}" for record, (_, kind) in zip(records, names.values(), strict=True)
    ]
    path = tmp_path / "protein.pdbqt"
    path.write_text("\n".join([*lines, polar[:70] + " 0.163 HD", "TER"]) + "\n", encoding="utf-8")
    found = read_structure(path)
    assert found.name == "protein"
    np.testing.assert_array_equal(found.atoms.coord, expected.atoms.coord)
    assert found.atoms.element.tolist() == expected.atoms.element.tolist() == ["N", "C", "C", "O", "S", "N"]
    assert (found.atoms.charge == 0).all()
    path.write_text(path.read_text(encoding="utf-8").replace("OA", "Q9"), encoding="utf-8")
    with pytest.raises(
        FormatError, match=r"protein\.pdbqt: atom O has the type 'Q9', which is not one of AutoDock's"
    ):
        read_structure(path)
