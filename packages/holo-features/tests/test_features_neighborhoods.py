"""Neighborhoods: their atoms, their names, and what is skipped."""

from collections import Counter

import attrs
import biotite.structure
import numpy as np
import pytest
from biotite.structure import annotate_sse
from hypothesis import given, settings, strategies as st

from holo_features import (
    neighborhoods,
    read_structure,
    zernike_transform,
)
from holo_features.datasets import example_structures
from holo_features.structures.residue import ResidueId
from holo_features.surroundings.centers import (
    SkippedResidue,
    alpha_carbons,
    atom_centers,
    point_centers,
    select_residues,
)
from holo_features.surroundings.neighbors import cut_in_blocks, cut_neighborhoods
from holo_features.surroundings.pairs import pairs_within
from holo_features.transforms.radial import squared_lengths
from holo_types import Basis, HoloError, Index, Zernike, concatenate

CHANNELS = ("C", "N", "O", "S")

EXAMPLES = {path.name.partition(".")[0]: read_structure(path) for path in example_structures()}


def brute_force(structure, cutoff, channels):
    """Map (chain, number, insertion code, name) to the sorted list of (channel, x, y, z), by a plain double loop."""
    atoms = structure.atoms
    places = atoms.coord.astype(np.float64)
    clouds = {}
    for i in np.flatnonzero((atoms.atom_name == "CA") & (atoms.element == "C")):
        distances = np.sqrt(((places - places[i]) ** 2).sum(axis=1))
        near = [j for j in np.flatnonzero(distances <= cutoff) if j != i and atoms.element[j] in channels]
        key = (atoms.chain_id[i], atoms.res_id[i].item(), atoms.ins_code[i], atoms.res_name[i])
        clouds[key] = sorted((channels.index(atoms.element[j]), *(places[j] - places[i])) for j in near)
    return clouds


@pytest.mark.parametrize("name", ["1zr0_B", "2g77_B", "2imm_A"])
@pytest.mark.parametrize(("cutoff", "channels"), [(10.0, ("C", "N", "O", "S")), (4.5, ("SE", "O"))])
def test_equals_a_plain_double_loop(name, cutoff, channels):
    structure = EXAMPLES[name]
    clouds = neighborhoods(structure, cutoff, channels)
    expected = {key: cloud for key, cloud in brute_force(structure, cutoff, channels).items() if cloud}
    assert clouds.channels == channels
    columns = [clouds.index[c] for c in ("chain", "residue_number", "insertion_code", "residue_name")]
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    assert keys == list(expected)  # in the order of the file, insertion codes told apart
    for i, key in enumerate(keys):
        cloud = clouds[i : i + 1]
        np.testing.assert_array_equal(cloud.weights.sum(axis=1), 1)
        found = sorted(zip(cloud.weights.argmax(axis=1).tolist(), *cloud.coordinates.T.tolist(), strict=True))
        np.testing.assert_allclose(found, expected[key], atol=1e-12)


def test_index():
    clouds = neighborhoods(EXAMPLES["1zr0_B"])
    assert list(clouds.index) == [
        "structure",
        "model",
        "chain",
        "residue_number",
        "insertion_code",
        "residue_name",
        "b_factor",
    ]
    assert set(clouds.index["structure"].tolist()) == {"1zr0_B"}
    assert set(clouds.index["model"].tolist()) == {1}
    assert Counter(clouds.index["insertion_code"].tolist())[""] < len(clouds)


def test_points_lie_in_the_file_at_their_center_plus_their_coordinates():
    structure = EXAMPLES["1zr0_B"]
    clouds = neighborhoods(structure)
    alphas = structure.atoms[structure.atoms.atom_name == "CA"]
    np.testing.assert_array_equal(clouds.centers, alphas.coord[: len(clouds)].astype(np.float64))
    places = {tuple(place) for place in structure.atoms.coord.tolist()}
    absolute = clouds.coordinates + np.repeat(clouds.centers, np.diff(clouds.offsets), axis=0)
    assert {tuple(place) for place in absolute.astype(np.float32).tolist()} <= places
    small = Basis(lmax=1, radial=Zernike(1, 10.0), channels=clouds.channels)
    np.testing.assert_array_equal(zernike_transform(clouds, small).centers, clouds.centers)


def test_the_cutoff_is_included(write_pdb, residue, atom):
    lines = [
        *residue(names=("CA",)),
        atom("N", (5.0, 5.0, 0.0), residue="ALA"),
        atom("CB", (0.0, 0.0, 5.0), residue="ALA"),
        atom("CG", (0.0, 5.001, 0.0), residue="ALA"),
        atom("CA", (0.0, 0.0, 0.0), residue="ALA", number=2),
    ]
    clouds = neighborhoods(read_structure(write_pdb(*lines)), cutoff=5.0)
    # The origin's own Cα is left out, another atom at the same place is not.
    assert sorted(np.linalg.norm(clouds[:1].coordinates, axis=1).tolist()) == [0.0, 5.0]


def test_a_calcium_ion_is_no_alpha_carbon(write_pdb, residue, atom):
    ion = atom("CA", (1.0, 1.0, 1.0), residue="CA", number=9, element="CA", hetero=True)
    # The ion may even stand in an amino acid residue that has lost its Cα.
    bare = residue(names=("N", "C", "O"), number=2, shift=4.0)
    inside = atom("CA", (5.0, 1.0, 1.0), residue="ALA", number=2, element="CA")
    structure = read_structure(write_pdb(*residue(), *bare, inside, ion))
    assert neighborhoods(structure).index["residue_number"].tolist() == [1]
    assert [skipped.residue.residue_number for skipped in cut_neighborhoods(structure).skipped] == [2]


def test_skipped_residues_are_named(write_pdb, residue, atom):
    path = write_pdb(
        *residue(),
        *residue(number=7, insertion="B", names=("N", "C", "O"), shift=3.0),
        *residue(number=99, chain="Z", names=("CA",), shift=500.0),
        atom("N", (520.0, 0.0, 0.0), number=99, chain="Z"),
        *residue(number=100, chain="Z", names=("CA",), shift=520.0),
    )
    structure = read_structure(path)
    assert cut_neighborhoods(structure).skipped == (
        SkippedResidue("made", 1, ResidueId("A", 7, "B"), "ALA", "it has no atom CA"),
        SkippedResidue(
            "made",
            1,
            ResidueId("Z", 100),
            "ALA",
            "it has neither N nor C, so that its surroundings are not known",
        ),
        SkippedResidue(
            "made", 1, ResidueId("Z", 99), "ALA", "no atom of C, N, O, S is within 10 Å of its CA"
        ),
    )
    assert neighborhoods(structure).index["residue_number"].tolist() == [1]
    assert [s.residue.residue_number for s in cut_neighborhoods(structure, cutoff=600.0).skipped] == [7, 100]


def test_a_structure_without_alpha_carbons_has_no_neighborhoods(write_pdb, residue):
    structure = read_structure(write_pdb(*residue(names=("N", "C", "O"))))
    clouds = neighborhoods(structure, secondary_structure=True)
    assert len(clouds) == 0
    assert "secondary_structure" in clouds.index
    assert len(cut_neighborhoods(structure).skipped) == 1


@given(st.sampled_from(sorted(EXAMPLES)), st.floats(0.5, 14.0))
@settings(max_examples=25, deadline=None)
def test_every_residue_is_either_there_or_skipped(name, cutoff):
    structure = EXAMPLES[name]
    clouds, skipped = neighborhoods(structure, cutoff), cut_neighborhoods(structure, cutoff).skipped
    atoms = structure.atoms
    residues = set(zip(atoms.chain_id.tolist(), atoms.res_id.tolist(), atoms.ins_code.tolist(), strict=True))
    assert len(clouds) + len(skipped) == len(residues)
    assert (np.diff(clouds.offsets) > 0).all()
    assert (np.linalg.norm(clouds.coordinates, axis=1) <= cutoff * (1 + 1e-12)).all()


@pytest.mark.parametrize("cutoff", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_cutoff_that_is_no_length(cutoff):
    with pytest.raises(HoloError, match="it must be a finite length > 0 Å"):
        neighborhoods(EXAMPLES["1ten_A"], cutoff)


def test_models_that_lie_on_one_another_are_refused():
    structure = read_structure(example_structures()[0])
    rng = np.random.default_rng(0)
    models = [structure.atoms.copy() for _ in range(20)]
    for number, atoms in enumerate(models):
        atoms.coord = atoms.coord + rng.normal(scale=0.5, size=atoms.coord.shape).astype(np.float32)
        atoms.res_id = atoms.res_id + 1000 * number
    packed = attrs.evolve(structure, atoms=biotite.structure.concatenate(models))
    with pytest.raises(HoloError, match=r"\d+ atoms lie within 10 Å of .*; matter holds 1047 at most"):
        neighborhoods(packed)
    assert len(neighborhoods(packed, cutoff=2.0))  # of a few atoms a density says nothing


def test_secondary_structure_is_that_of_biotite():
    names = {"a": "helix", "b": "sheet", "c": "coil"}
    for name in ("1ten_A", "1bvc_A", "1c1y_A"):  # complete chains, numbered without gaps
        structure = EXAMPLES[name]
        codes = annotate_sse(structure.atoms)
        if codes.dtype.kind == "i":  # biotite 2, which says what its numbers mean
            codes = biotite.structure.PSeaElement.to_symbols(codes)
        expected = [names[code] for code in codes.tolist()]
        found = neighborhoods(structure, secondary_structure=True).index["secondary_structure"].tolist()
        assert found == expected


def test_secondary_structure_does_not_hang_on_residue_numbers_or_names():
    structure = EXAMPLES["1bvc_A"]
    expected = neighborhoods(structure, secondary_structure=True).index["secondary_structure"].tolist()
    atoms = structure.atoms.copy()
    atoms.res_id = atoms.res_id * 3
    atoms.res_name[:] = "HIE"
    renamed = attrs.evolve(structure, atoms=atoms)
    assert neighborhoods(renamed, secondary_structure=True).index["secondary_structure"].tolist() == expected


def test_secondary_structure_sees_a_broken_chain():
    structure = EXAMPLES["1bvc_A"]
    whole = neighborhoods(structure, secondary_structure=True).index["secondary_structure"]
    helix = np.flatnonzero(whole == "helix")[:3]
    number = neighborhoods(structure).index["residue_number"][helix[-1]]
    atoms = structure.atoms.copy()
    atoms.coord[atoms.res_id > number] += 20.0
    broken = neighborhoods(attrs.evolve(structure, atoms=atoms), secondary_structure=True)
    # Three residues are left of the first helix: too few to be one.
    assert (broken.index["secondary_structure"][helix] == "coil").all()


@pytest.mark.parametrize("channels", [(), ("C", "C"), ("",)])
def test_refuses_channels_that_are_not_each_named_once(channels):
    with pytest.raises(HoloError, match=r"channels is .* it must hold at least one name, each once"):
        neighborhoods(EXAMPLES["1ten_A"], channels=channels)


# The search


@pytest.mark.parametrize("count", [1, 70, 500, 6000])
@pytest.mark.parametrize("shift", [0.0, 1e4, 1e9])
def test_pairs_equal_those_of_every_distance(count, shift):
    rng = np.random.default_rng(count)
    points, about = rng.uniform(0, 40, (count, 3)) + shift, rng.uniform(-5, 45, (150, 3)) + shift
    about[:50] = points[rng.integers(0, count, 50)]  # some at points, some outside
    found = pairs_within(points, about, 7.0)
    near = squared_lengths(((points[None] - about[:, None]) / 7.0).reshape(-1, 3)).reshape(150, count) <= 1
    np.testing.assert_array_equal(found.counts, near.sum(axis=1))
    np.testing.assert_array_equal(found.points, np.nonzero(near)[1])


def test_points_at_the_very_radius_are_on_the_side_where_the_transform_sees_them():
    grid = np.stack(np.meshgrid(*3 * [np.arange(-6.0, 7.0)], indexing="ij"), axis=-1).reshape(-1, 3) * 0.1
    about = np.concatenate([grid[::97], np.zeros((1, 3))])
    for radius in (0.1, 0.3, 0.5, 0.7):  # lengths that binary fractions do not hold
        found = pairs_within(grid, about, radius)
        for i, center in enumerate(about):
            inside = squared_lengths((grid - center) / radius) <= 1
            assert found.counts[i] == inside.sum()


def test_origins_and_groups_are_left_out():
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 80, (6000, 3))
    groups = np.arange(6000) // 5
    origins = rng.permutation(6000)[:200]
    about = points[origins]
    origins[::3] = -1
    center_groups = np.where(origins < 0, 9999, groups[origins])
    found = pairs_within(points, about, 8.0, origins=origins)
    apart = pairs_within(
        points, about, 8.0, origins=origins, point_groups=groups, center_groups=center_groups
    )
    for pairs, by_group in ((found, False), (apart, True)):
        rows = np.split(pairs.points, np.cumsum(pairs.counts)[:-1])
        for i, row in enumerate(rows):
            near = np.linalg.norm(points - about[i], axis=1) <= 8.0
            if origins[i] >= 0:
                near &= groups != groups[origins[i]] if by_group else np.arange(6000) != origins[i]
            np.testing.assert_array_equal(row, np.flatnonzero(near))


def test_no_points_and_no_centers_give_no_pairs():
    assert pairs_within(np.zeros((0, 3)), np.zeros((2, 3)), 1.0).counts.tolist() == [0, 0]
    assert len(pairs_within(np.zeros((2, 3)), np.zeros((0, 3)), 1.0).points) == 0


def test_an_atom_at_the_end_of_the_world_changes_nothing():
    structure = EXAMPLES["1ten_A"]
    atoms = structure.atoms.copy()
    atoms.coord[-1] = [3e37, -1e38, 2e38]
    atoms.b_factor[:] = 20.0  # of which the index has the mean
    clouds = neighborhoods(attrs.evolve(structure, atoms=atoms))
    assert clouds == neighborhoods(attrs.evolve(structure, atoms=atoms[:-1]))


# Centers


def test_chosen_residues_are_rows_of_all():
    structure = EXAMPLES["2imm_A"]
    every = neighborhoods(structure, secondary_structure=True)
    rows = [3, 40, 7]
    chosen = [
        ResidueId(*(every.index[c][row].item() for c in ("chain", "residue_number", "insertion_code")))
        for row in rows
    ]
    centers = alpha_carbons(structure, select_residues(structure, chosen))
    found = neighborhoods(structure, secondary_structure=True, centers=centers)
    assert found == every[np.array(sorted(rows))]  # secondary structure too is that of the whole chain


def test_insertion_codes_tell_residues_apart():
    structure = EXAMPLES["1zr0_B"]
    atoms = structure.atoms
    code = np.flatnonzero(atoms.ins_code != "")[0]
    residue = ResidueId(atoms.chain_id[code], int(atoms.res_id[code]), atoms.ins_code[code])
    assert ResidueId.parse(str(residue)) == residue
    clouds = neighborhoods(structure, centers=alpha_carbons(structure, select_residues(structure, [residue])))
    assert clouds.index["insertion_code"].tolist() == [residue.insertion_code]


def test_a_residue_that_is_not_there_is_named():
    with pytest.raises(HoloError, match=r"structure 1ten_A has no residue Q:7B"):
        select_residues(EXAMPLES["1ten_A"], [ResidueId.parse("Q:7B")])
    for text in ("A52", "A:", "A:x", ":5", "A:5BC", "A:\u0663", "A:" + "9" * 5000):
        with pytest.raises(HoloError, match="it must be written as chain:number, such as A:52 or A:52B"):
            ResidueId.parse(text)


def test_atoms_as_centers():
    structure = EXAMPLES["1ten_A"]
    atoms = structure.atoms
    chosen = atoms.atom_name == "CB"
    clouds = neighborhoods(structure, 6.0, centers=atom_centers(structure, chosen), secondary_structure=True)
    assert clouds == neighborhoods(
        structure, 6.0, centers=atom_centers(structure, np.flatnonzero(chosen)), secondary_structure=True
    )
    assert set(clouds.index["atom_name"].tolist()) == {"CB"}
    places = atoms.coord.astype(np.float64)
    for i, center in enumerate(np.flatnonzero(chosen)):
        near = np.linalg.norm(places - places[center], axis=1) <= 6.0
        near[center] = False
        np.testing.assert_array_equal(clouds[i : i + 1].coordinates, places[near] - places[center])
    by_residue = neighborhoods(structure, secondary_structure=True).index
    known = dict(
        zip(by_residue["residue_number"].tolist(), by_residue["secondary_structure"].tolist(), strict=True)
    )
    numbers = clouds.index["residue_number"].tolist()
    assert clouds.index["secondary_structure"].tolist() == [known[number] for number in numbers]


def test_an_atom_without_neighbors_is_named():
    structure = EXAMPLES["1ten_A"]
    centers = atom_centers(structure, structure.atoms.atom_name == "NZ")
    skipped = cut_neighborhoods(structure, 1.0, centers=centers).skipped
    assert len(skipped) == len(centers)
    assert {s.reason for s in skipped} == {"no atom of C, N, O, S is within 1 Å of its NZ"}


@pytest.mark.parametrize("chosen", [np.array([0, 10**6]), np.array([-1])])
def test_atoms_that_are_not_there_are_refused(chosen):
    with pytest.raises(HoloError, match="atom_centers: there is no atom"):
        atom_centers(EXAMPLES["1ten_A"], chosen)
    with pytest.raises(HoloError, match=r"chosen is bool .* it must be a mask of its atoms"):
        alpha_carbons(EXAMPLES["1ten_A"], np.ones(3, dtype=bool))


def test_points_as_centers_keep_their_rows():
    structure = EXAMPLES["1ten_A"]
    places = structure.atoms.coord.astype(np.float64)
    points = np.stack([places[0], [900.0, 0, 0], places.mean(axis=0)])
    index = Index({"site": np.array(["first atom", "nowhere", "middle"])})
    clouds = neighborhoods(structure, 5.0, centers=point_centers(structure, points, index))
    assert list(clouds.index) == ["structure", "model", "site"]
    assert clouds.index["site"].tolist() == ["first atom", "nowhere", "middle"]
    assert np.diff(clouds.offsets)[1] == 0
    for i, point in enumerate(points):
        near = np.linalg.norm(places - point, axis=1) <= 5.0
        np.testing.assert_array_equal(clouds[i : i + 1].coordinates, places[near] - point)
    assert (clouds[:1].coordinates == 0).all(axis=1).sum() == 1  # a point is no atom; the atom there stays
    assert point_centers(structure, points).index["point"].tolist() == [0, 1, 2]
    assert cut_neighborhoods(structure, 5.0, centers=point_centers(structure, points)).skipped == ()


def test_what_points_cannot_have_is_refused():
    structure = EXAMPLES["1ten_A"]
    centers = point_centers(structure, np.zeros((1, 3)))
    with pytest.raises(HoloError, match="secondary_structure needs centers in residues; these are points"):
        neighborhoods(structure, secondary_structure=True, centers=centers)
    with pytest.raises(HoloError, match="central_residue=False needs centers in residues; these are points"):
        neighborhoods(structure, centers=centers, central_residue=False)
    with pytest.raises(HoloError, match="points holds a value that is not a finite number"):
        point_centers(structure, np.array([[0.0, np.nan, 0]]))
    with pytest.raises(HoloError, match="index has 2 rows; it must have 1"):
        point_centers(structure, np.zeros((1, 3)), Index({"site": np.arange(2)}))


@pytest.mark.parametrize("name", ["1zr0_B", "2imm_A"])
def test_the_central_residue_can_be_left_out(name):
    structure = EXAMPLES[name]
    atoms = structure.atoms
    places = atoms.coord.astype(np.float64)
    clouds = neighborhoods(structure, 6.0, central_residue=False)
    centers = np.flatnonzero(atoms.atom_name == "CA")
    assert len(clouds) == len(centers)
    for i, center in enumerate(centers):
        own = (
            (atoms.chain_id == atoms.chain_id[center])
            & (atoms.res_id == atoms.res_id[center])
            & (atoms.ins_code == atoms.ins_code[center])
        )
        near = (
            (np.linalg.norm(places - places[center], axis=1) <= 6.0) & ~own & np.isin(atoms.element, CHANNELS)
        )
        np.testing.assert_array_equal(clouds[i : i + 1].coordinates, places[near] - places[center])
    skipped = cut_neighborhoods(structure, 1.0, central_residue=False).skipped
    assert skipped[0].reason == "no atom of C, N, O, S of another residue is within 1 Å of its CA"


def test_what_is_no_amino_acid_is_there_but_no_center():
    structure = EXAMPLES["1ten_A"]
    atoms = structure.atoms.copy()
    atoms.set_annotation("amino_acid", np.ones(len(atoms), dtype=bool))
    last = atoms.res_id == atoms.res_id[-1]
    atoms.amino_acid[last] = False
    partly = attrs.evolve(structure, atoms=atoms)
    found, every = cut_neighborhoods(partly), neighborhoods(structure)
    assert found.clouds == every[: len(every) - 1]
    assert found.skipped == ()  # a ligand or a water lacks no Cα
    inside = atom_centers(partly, np.flatnonzero(last)[:1])
    named = neighborhoods(partly, centers=inside, secondary_structure=True).index["secondary_structure"]
    assert named.tolist() == [""]


@pytest.mark.parametrize("block", [1, 64, 1000])
def test_blocks_are_the_whole(block, write_pdb, residue):
    alone = residue(number=99, chain="Z", names=("CA",), shift=500.0)
    without = residue(number=7, chain="Z", names=("N", "C", "O"), shift=3.0)
    structure = read_structure(write_pdb(*residue(), *residue(number=2, shift=4.0), *without, *alone))
    asked = {"channels": ("C", "sasa"), "secondary_structure": True, "central_residue": False}
    whole = cut_neighborhoods(structure, **asked)
    blocks = list(cut_in_blocks(structure, **asked, block=block))
    assert concatenate([found.clouds for found in blocks]) == whole.clouds
    assert sum((found.skipped for found in blocks), ()) == whole.skipped
    assert len(whole.skipped) == 2


# Symmetry


@pytest.mark.parametrize("name", ["1zr0_B", "2g77_B"])
def test_turning_a_structure_turns_its_clouds(name):
    structure = EXAMPLES[name]
    expected = neighborhoods(structure, channels=("C", "N", "O", "S", "other"))
    basis = Basis(lmax=4, radial=Zernike(nmax=8, cutoff=10.0), channels=expected.channels)
    powers = power_spectra(zernike_transform(expected, basis, np.float64))
    for turn in (np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])):
        atoms = structure.atoms.copy()
        atoms.coord = atoms.coord @ turn.astype(np.float32)  # exact: it only exchanges axes
        clouds = neighborhoods(attrs.evolve(structure, atoms=atoms), channels=expected.channels)
        np.testing.assert_array_equal(clouds.coordinates, expected.coordinates @ turn)
        np.testing.assert_array_equal(clouds.weights, expected.weights)
        assert clouds.index == expected.index
        turned = power_spectra(zernike_transform(clouds, basis, np.float64))
        np.testing.assert_allclose(turned, powers, atol=1e-12 * np.abs(powers).max())


def power_spectra(holograms):
    """Return the sums of squares over m, which no rotation changes."""
    blocks = [holograms.degree(degree) for degree in range(holograms.basis.lmax + 1)]
    return np.concatenate([(block**2).sum(axis=2) for block in blocks], axis=1)


def test_the_order_of_atoms_in_a_residue_does_not_matter():
    structure = EXAMPLES["1ten_A"]
    atoms = structure.atoms
    starts = np.flatnonzero(np.diff(atoms.res_id, prepend=-999))
    rng = np.random.default_rng(0)
    order = np.concatenate(list(map(rng.permutation, np.split(np.arange(len(atoms)), starts[1:]))))
    basis = Basis(lmax=4, radial=Zernike(nmax=8, cutoff=10.0), channels=CHANNELS)
    here, there = (
        zernike_transform(neighborhoods(attrs.evolve(structure, atoms=a)), basis, np.float64).coefficients
        for a in (atoms, atoms[order])
    )
    np.testing.assert_allclose(there, here, atol=1e-12 * np.abs(here).max())
