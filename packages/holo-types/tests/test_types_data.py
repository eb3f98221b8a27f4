"""What the types hold, and what they refuse with a message that names the field."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, strategies as st

from holo_types import (
    Basis,
    Embeddings,
    HoloError,
    Holograms,
    Index,
    Irreps,
    ModelReference,
    NamedArrays,
    PointClouds,
    PointColumns,
    SphereImages,
    Zernike,
    concatenate,
)
from holo_types.objects import basis as basis_module

PROTEIN = Basis(lmax=6, radial=Zernike(nmax=20, cutoff=10.0), channels=("C", "N", "O", "S"))
SPHERE = Basis(lmax=1, radial=None, channels=("image",))
MODEL = ModelReference("demo", "1", "0" * 64, "0" * 64)

# Irreps


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(0, 99)), min_size=1, max_size=8))
def test_irreps_print_what_they_read(blocks: list[tuple[int, int]]) -> None:
    text = "+".join(f"{multiplicity}x{degree}e" for multiplicity, degree in blocks)  # as e3nn prints it
    irreps = Irreps(text)
    assert str(irreps) == text
    assert irreps == Irreps(blocks) == Irreps(irreps) == Irreps(text.replace("+", " + "))
    assert irreps.dim == sum(multiplicity * (2 * degree + 1) for multiplicity, degree in blocks)
    assert irreps.lmax == max(degree for _, degree in blocks)
    assert [s.stop - s.start for s in irreps.slices] == [m * (2 * degree + 1) for m, degree in blocks]
    assert irreps.slices[-1].stop == irreps.dim


def test_irreps_read_a_missing_multiplicity_as_one() -> None:
    assert Irreps("0e+3x2e").blocks == ((1, 0), (3, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "irreps: '' in '' is not a term such as '4x1e'"),
        ("4x1", "irreps: '4x1' in '4x1' is not a term"),
        ("4x1e+", "irreps: '' in '4x1e[+]' is not a term"),
        ("-1x1e", "irreps: '-1x1e' in .* is not a term"),
        ("2x0e+4x1o", "irreps: '4x1o' in .* has odd parity"),
        ("0x1e", "irreps: 0x1e must have a multiplicity >= 1"),
        ([(1, -1)], "irreps: 1x-1e must have .* a degree >= 0"),
        ([], "irreps: there are none"),
    ],
)
def test_irreps_that_are_none(text: Any, message: str) -> None:
    with pytest.raises(HoloError, match=message):
        Irreps(text)


# Basis: its layout and digest are in every file, so they are fixed here once and for all.

GOLDEN = [
    (
        PROTEIN,
        "44x0e+40x1e+40x2e+36x3e+36x4e+32x5e+32x6e",
        1708,
        "7e8b52f3a27b9199724c4db6d5029450aba1104eb329c67be18fe70907e94454",
    ),
    (
        attrs.evolve(PROTEIN, radial=Zernike(20, 10.0, envelope=1.5)),
        "44x0e+40x1e+40x2e+36x3e+36x4e+32x5e+32x6e",
        1708,
        "fe0477764f40967962af8ec5c2fa8d58fbe0a2d264ea1ea9859ae507cc276cbf",
    ),
    (SPHERE, "1x0e+1x1e", 4, "439c1c8fb7dd2a1ea8badfecc83c24de50bcc87a83696f0ce9166f21972a8242"),
    (
        Basis(2, Zernike(3, 8.5, "floor"), ("C", "β"), "component", "unit"),
        "4x0e+4x1e+2x2e",
        26,
        "5ef69702ca38c98b64fbe5a74193f61bb9eeb52d6a9d8412e2f05c2144ff0c30",
    ),
]


@pytest.mark.parametrize(("basis", "irreps", "dim", "digest"), GOLDEN)
def test_the_layout_and_digest_of_a_basis(basis: Basis, irreps: str, dim: int, digest: str) -> None:
    assert (str(basis.irreps), basis.dim, basis.digest) == (irreps, dim, digest)
    assert Basis.from_dict(basis.to_dict()) == basis


def test_the_squared_norm_of_harmonics() -> None:
    # Y of degree 0 is a constant: 1 in the normalization "component", so that its square sums to the sphere's area.
    assert PROTEIN.angular_squared_norm == 1
    assert attrs.evolve(PROTEIN, angular_normalization="component").angular_squared_norm == 4 * np.pi


def test_the_digest_is_the_same_in_another_process() -> None:
    code = (
        "from holo_types import Basis, Zernike;"
        "print(Basis(lmax=6, radial=Zernike(nmax=20, cutoff=10), channels=list('CNOS')).digest)"
    )
    command = [sys.executable, "-c", code]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == PROTEIN.digest
    )


def test_every_parameter_of_a_basis_changes_its_digest() -> None:
    changes: list[dict[str, Any]] = [
        {"lmax": 5},
        {"radial": None},
        {"radial": Zernike(21, 10.0)},
        {"radial": Zernike(20, 9.0)},
        {"radial": Zernike(20, 10.0, "floor")},
        {"radial": Zernike(20, 10.0, envelope=1.5)},
        {"radial": Zernike(20, 10.0, envelope=2.0)},
        {"channels": ("N", "C", "O", "S")},
        {"angular_normalization": "component"},
        {"point_normalization": "unit"},
    ]
    digests = {attrs.evolve(PROTEIN, **change).digest for change in changes}
    assert len(digests | {PROTEIN.digest}) == len(changes) + 1


def test_a_field_that_is_added_later_changes_no_digest_while_it_is_absent() -> None:
    """A basis as a later version may have it; its text, from which the digest is made, is still the same."""
    later = attrs.make_class(
        "Basis",
        {**{name: attrs.field() for name in attrs.fields_dict(Basis)}, "envelope": attrs.field(default=None)},
    )
    sphere = {**{name: getattr(SPHERE, name) for name in attrs.fields_dict(Basis)}, "channels": ["image"]}
    assert basis_module._plain(later(**sphere)) == SPHERE.to_dict()
    assert "radial" in SPHERE.to_dict()  # None too, but said in every file since the first
    assert basis_module._plain(later(**sphere, envelope="smooth")) == {
        **SPHERE.to_dict(),
        "envelope": "smooth",
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Zernike(-1, 10.0), "Zernike.nmax is -1; it must be an integer from 0 to 1000"),
        (lambda: Zernike(10**6, 10.0), "Zernike.nmax is 1000000; it must be an integer from 0 to 1000"),
        (lambda: Zernike(2.0, 10.0), "Zernike.nmax is 2.0; it must be an integer"),
        (lambda: Zernike(True, 10.0), "Zernike.nmax is True; it must be an integer"),
        (lambda: Zernike(2, 0.0), "Zernike.cutoff is 0.0; it must be a finite length > 0 Å"),
        (lambda: Zernike(2, float("nan")), "Zernike.cutoff is nan; it must be"),
        (lambda: inspect.unwrap(basis_module._length)("wide"), "Zernike.cutoff is 'wide'; it must be"),
        (
            lambda: Zernike(2, 1.0, "none"),
            "Zernike.normalization is 'none'; it must be 'orthonormal' or 'floor'",
        ),
        (
            lambda: Zernike(2, 8.0, envelope=0.0),
            "Zernike.envelope is 0.0; it must be > 0 and at most the cutoff, 8.0 Å, or None",
        ),
        (lambda: Zernike(2, 8.0, envelope=8.1), "Zernike.envelope is 8.1; it must be > 0 and at most"),
        (lambda: Zernike(2, 8.0, envelope=float("nan")), "Zernike.envelope is nan; it must be"),
        (lambda: inspect.unwrap(basis_module._width)("wide"), "Zernike.envelope is 'wide'; it must be"),
        (lambda: attrs.evolve(PROTEIN, lmax=-1), "Basis.lmax is -1; it must be"),
        (lambda: attrs.evolve(PROTEIN, lmax=21), "Basis.radial has nmax 20; it must be at least lmax, 21"),
        (lambda: attrs.evolve(PROTEIN, radial=20), "Basis.radial is 20; it must be a Zernike"),
        (lambda: attrs.evolve(PROTEIN, channels=()), r"Basis.channels is \(\); it must hold"),
        (lambda: attrs.evolve(PROTEIN, channels=("C", "C")), "Basis.channels is .* each once"),
        (lambda: attrs.evolve(PROTEIN, channels=("C", "")), "Basis.channels is .* each once"),
        (lambda: attrs.evolve(PROTEIN, channels="CNOS"), "channels are 'CNOS'; they must be a sequence"),
        (
            lambda: attrs.evolve(PROTEIN, angular_normalization="norm"),
            "Basis.angular_normalization is 'norm'; it must be 'orthonormal' or 'component'",
        ),
        (lambda: attrs.evolve(SPHERE, point_normalization="unit"), "on a sphere it must be 'none'"),
        (lambda: Basis.from_dict({**PROTEIN.to_dict(), "color": 1}), "basis: .* does not describe a basis"),
        (lambda: Basis.from_dict({"lmax": 1}), "basis: .* does not describe a basis"),
    ],
)
def test_a_basis_that_is_none(make: Callable[[], object], message: str) -> None:
    with pytest.raises(HoloError, match=message):
        make()


# Index


def test_an_index_knows_integers_and_text() -> None:
    index = Index(
        {"n": np.array([3, 1], np.uint8), "text": np.array(["a", "bcd"], object), "empty": ["", ""]}
    )
    assert (index["n"].dtype, index["text"].dtype, index["empty"].dtype) == (np.int64, "U3", "U1")
    assert index.take(np.array([True, False]))["text"].dtype == "U1"
    assert index.assign(n=[5, 6])["n"].tolist() == [5, 6]
    assert Index.concatenate([index, index]).rows == 4
    assert (len(Index()), Index().rows) == (0, None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_index_keeps_floats_to_the_bit(dtype: type[np.floating[Any]]) -> None:
    whole = np.random.default_rng(0).bytes(4000)
    values = np.frombuffer(whole, dtype)
    index = Index({"b_factor": values})
    assert np.isnan(values).any()
    assert (index["b_factor"].dtype, index["b_factor"].tobytes()) == (dtype, whole)
    assert index.take(slice(0, 0))["b_factor"].dtype == dtype
    assert Index.concatenate([index.take(slice(0, 9)), index.take(slice(9, None))]) == index
    swapped = Index({"b_factor": values.astype(values.dtype.newbyteorder())})
    assert swapped["b_factor"].tobytes() == whole


def test_a_missing_value_equals_itself_and_nothing_else() -> None:
    missing = Index({"a": [1.0, np.nan]})
    assert missing == Index({"a": [1.0, np.nan]})
    assert missing != Index({"a": [1.0, 2.0]})
    assert missing != Index({"a": np.array([1.0, np.nan], np.float32)})
    assert Index({"a": [1]}) != Index({"a": [1.0]})
    assert PointColumns({"a": [1]}) != Index({"a": [1]})


def test_a_column_is_asked_for_by_name() -> None:
    index = Index({"chain": ["A"], "model": [1]})
    assert index.column("model").tolist() == [1]
    with pytest.raises(HoloError, match=r"^index has no column 'chian'; it has chain, model$"):
        index.column("chian")
    with pytest.raises(HoloError, match=r"^index has no column 'chain'; it has none$"):
        Index().column("chain")


def test_a_part_without_rows_does_not_decide_the_type_of_a_column() -> None:
    assert Index.concatenate([Index({"a": []}), Index({"a": ["x"]}), Index({"a": []})]) == Index({"a": ["x"]})
    assert Index.concatenate([Index({"a": []}), Index({"a": []})])["a"].dtype == np.int64
    for one, other, types in (([1], ["x"], "int64 and text"), ([1], [1.5], "float64 and int64")):
        with pytest.raises(HoloError, match=rf"index\['a'\] is of {types}; all parts must be of one type"):
            Index.concatenate([Index({"a": one}), Index({"a": other})])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [[1], [2]]}, r"index\['a'\] has shape \(2, 1\); it must have one dimension"),
        (
            {"a": np.array([1.5], np.float16)},
            r"index\['a'\] has dtype float16; it must hold only integers, only float",
        ),
        ({"a": [1.5 + 2j]}, r"index\['a'\] has dtype complex128"),
        ({"a": ["x", 1.5]}, r"index\['a'\] has dtype object"),
        ({"a": [True]}, r"index\['a'\] has dtype bool"),
        ({"a": ["x", 1]}, r"index\['a'\] has dtype object"),
        ({"a": [b"x"]}, r"index\['a'\] has dtype"),
        ({"a": ["x\0"]}, r"index\['a'\] holds 'x\\x00'; it must be valid Unicode text without NUL"),
        ({"a": ["\ud800"]}, r"index\['a'\] holds '\\ud800'; it must be valid Unicode"),
        ({"a": np.array([2**63], np.uint64)}, r"index\['a'\] holds 9223372036854775808; integers must fit"),
        ({"a": [1], "b": [1, 2]}, "index: its columns must have one length; they have {'a': 1, 'b': 2}"),
        ({"": [1]}, "index: '' is not a column name"),
        ({"a/b": [1]}, "index: 'a/b' is not a column name"),
        ({"\udc00": [1]}, "index: .* is not a column name"),
    ],
)
def test_an_index_that_is_none(columns: Any, message: str) -> None:
    with pytest.raises(HoloError, match=message):
        Index(columns)


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"index has no column 'chian'; it has chain"):
        Index({"chain": ["A"]})["chian"]
    with pytest.raises(HoloError, match=r"index: columns \['b'\] do not match \['a'\]"):
        Index.concatenate([Index({"a": [1]}), Index({"b": [1]})])


# The four types


def clouds(**changes: Any) -> PointClouds:
    values: dict[str, Any] = {
        "coordinates": np.zeros((3, 3)),
        "weights": np.ones((3, 2)),
        "offsets": np.array([0, 1, 3]),
        "channels": ("C", "N"),
        "index": {"row": [0, 1]},
        "centers": np.zeros((2, 3)),
        "point_columns": {"own": np.array([True, False, True]), "side": ["a", "b", ""]},
    }
    return PointClouds(**{**values, **changes})


def images(**changes: Any) -> SphereImages:
    values: dict[str, Any] = {
        "values": np.zeros((2, 1, 4, 4)),
        "grid": "driscoll-healy",
        "channels": ("image",),
        "index": {"row": [0, 1]},
    }
    return SphereImages(**{**values, **changes})


def holograms(**changes: Any) -> Holograms:
    values: dict[str, Any] = {
        "coefficients": np.zeros((2, 4)),
        "basis": SPHERE,
        "index": {"row": [0, 1]},
        "centers": np.zeros((2, 3)),
    }
    return Holograms(**{**values, **changes})


def embeddings(**changes: Any) -> Embeddings:
    values: dict[str, Any] = {
        "invariants": np.zeros((2, 5)),
        "frames": np.zeros((2, 3, 3)),
        "model": MODEL,
        "index": {"row": [0, 1]},
        "log_variances": np.zeros((2, 5)),
        "degenerate": np.zeros(2, bool),
        "reconstruction_cosine_loss": np.zeros(2),
        "centers": np.zeros((2, 3)),
    }
    return Embeddings(**{**values, **changes})


FLOAT_FIELDS = [
    (clouds, "coordinates"),
    (clouds, "weights"),
    (clouds, "centers"),
    (images, "values"),
    (holograms, "coefficients"),
    (embeddings, "invariants"),
    (embeddings, "frames"),
    (embeddings, "log_variances"),
    (embeddings, "reconstruction_cosine_loss"),
    (embeddings, "centers"),
    (holograms, "centers"),
]


@pytest.mark.parametrize(("make", "field"), FLOAT_FIELDS)
@given(chance=st.data())
def test_a_float_field_refuses_what_does_not_fit(
    make: Callable[..., Any], field: str, chance: st.DataObject
) -> None:
    whole = make()
    name, good = type(whole).__name__, getattr(whole, field)

    dtype = chance.draw(st.sampled_from([np.float16, np.int32, np.int64, np.complex64, np.bool_, object]))
    with pytest.raises(HoloError, match=f"{name}.{field} has dtype .*; it must be float32 or float64"):
        make(**{field: good.astype(dtype)})

    shape = chance.draw(st.lists(st.integers(0, 6), max_size=5).map(tuple))
    try:
        make(**{field: np.zeros(shape)})
    except HoloError as error:
        refused = str(error)
        assert name in refused
    else:
        assert len(shape) == good.ndim  # only another number of points, channels or features can fit

    bad = good.copy()
    where = tuple(chance.draw(st.integers(0, size - 1)) for size in good.shape)
    bad[where] = chance.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(HoloError, match=f"{name}.{field} is not finite in row {where[0]}"):
        make(**{field: bad})

    with pytest.raises(HoloError, match=f"{name}.{field} is a list; it must be a numpy array"):
        make(**{field: good.tolist()})


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (
            clouds,
            {"coordinates": np.zeros((3, 2))},
            r"PointClouds.coordinates has shape \[3, 2\]; .*points, 3",
        ),
        (
            clouds,
            {"weights": np.zeros((3, 1))},
            r"PointClouds.weights has shape \[3, 1\]; it must be \[3, 2\]",
        ),
        (
            clouds,
            {"weights": np.zeros((2, 2))},
            r"PointClouds.weights has shape \[2, 2\]; it must be \[3, 2\]",
        ),
        (
            clouds,
            {"offsets": np.array([0, 3, 1, 3])},
            "PointClouds.offsets decreases after 1; it must not decrease",
        ),
        (clouds, {"offsets": np.array([0, 1, 2])}, "PointClouds.offsets is .* end with 3"),
        (clouds, {"offsets": np.array([1, 2, 3])}, "PointClouds.offsets is .* begin with 0"),
        (clouds, {"offsets": np.array([], np.int64)}, "PointClouds.offsets is .* begin with 0"),
        (clouds, {"offsets": np.array([0.0, 3.0])}, "PointClouds.offsets is .* must be an integer array"),
        (clouds, {"offsets": [0, 3]}, "PointClouds.offsets is .* must be an integer array"),
        (clouds, {"offsets": np.array([0, 3])}, r"PointClouds.index\['row'\] has 2 values; it must have 1"),
        (clouds, {"channels": ("C", "C")}, "PointClouds.channels is .* each once"),
        (
            clouds,
            {"centers": np.zeros((1, 3))},
            r"PointClouds.centers has shape \[1, 3\]; it must be \[2, 3\]",
        ),
        (
            clouds,
            {"point_columns": {"own": [1]}},
            r"PointClouds.point_columns\['own'\] has 1 .* 3, one a point",
        ),
        (
            clouds,
            {"point_columns": {"own": [b"x"] * 3}},
            r"point_columns\['own'\] has dtype .*only truth values",
        ),
        (clouds, {"channels": "CN"}, "channels are 'CN'; they must be a sequence"),
        (images, {"values": np.zeros((2, 1, 4, 5))}, "SphereImages.values has 4 × 5 samples; driscoll-healy"),
        (images, {"values": np.zeros((2, 1, 3, 3))}, "SphereImages.values has 3 × 3 samples; driscoll-healy"),
        (images, {"grid": "gauss-legendre"}, "SphereImages.values has 4 × 4 samples; gauss-legendre needs"),
        (images, {"grid": "healpix"}, "SphereImages.grid is 'healpix'; it must be 'driscoll-healy' or"),
        (images, {"channels": ()}, r"SphereImages.channels is \(\)"),
        (
            holograms,
            {"coefficients": np.zeros((2, 5))},
            r"Holograms.coefficients has shape \[2, 5\]; .*\[n, 4\]",
        ),
        (holograms, {"basis": "sphere"}, "Holograms.basis is a str; it must be a Basis"),
        (holograms, {"index": {"row": [0]}}, r"Holograms.index\['row'\] has 1 values; it must have 2"),
        (embeddings, {"frames": np.zeros((1, 3, 3))}, r"Embeddings.frames has shape .*must be \[2, 3, 3\]"),
        (embeddings, {"invariants": np.zeros((2, 0))}, r"Embeddings.invariants has shape \[2, 0\]"),
        (embeddings, {"log_variances": np.zeros((2, 4))}, r"Embeddings.log_variances .*must be \[2, 5\]"),
        (
            embeddings,
            {"degenerate": np.zeros(3, bool)},
            r"Embeddings.degenerate is .*must be a bool array \[2\]",
        ),
        (
            embeddings,
            {"degenerate": np.zeros(2, int)},
            r"Embeddings.degenerate is .*must be a bool array \[2\]",
        ),
        (embeddings, {"model": "demo"}, "Embeddings.model is a str; it must be a ModelReference"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    make: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HoloError, match=message):
        make(**changes)


@pytest.mark.parametrize("make", [clouds, images, holograms, embeddings])
def test_objects_are_equal_by_value_and_joined_in_order(make: Callable[..., Any]) -> None:
    whole = make()
    assert whole == make() != make(index={"row": [0, 2]})
    assert concatenate([whole[:1], whole[1:]]) == whole
    assert concatenate([whole[np.array([1])], whole[np.array([True, False])]]) == whole[np.array([1, 0])]
    assert len(whole[:0]) == 0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "concatenate: there is nothing"),
        ([holograms(), images()], "concatenate: all parts must be Holograms"),
        (
            [holograms(), holograms(coefficients=np.zeros((2, 4), np.float32))],
            "differ in coefficients: float32",
        ),
        ([embeddings(), embeddings(degenerate=None)], "differ in degenerate: absent"),
        ([embeddings(degenerate=None), embeddings()], "differ in degenerate: absent"),
        ([clouds(), clouds(channels=("C", "O"))], "differ in channels"),
        ([clouds(), clouds(centers=None)], "differ in centers: absent, float64"),
        ([clouds(), clouds(point_columns={})], "point_columns: columns .* do not match"),
        ([holograms(), holograms(index={})], "index: columns .* do not match"),
    ],
)
def test_parts_that_do_not_belong_together(parts: list[Any], message: str) -> None:
    with pytest.raises(HoloError, match=message):
        concatenate(parts)


def test_what_is_cut_keeps_its_centers_and_the_columns_of_its_points() -> None:
    whole = clouds(centers=np.arange(6.0).reshape(2, 3))
    for rows in (slice(1, None), np.array([1]), np.array([False, True])):
        part = whole[rows]
        assert part.centers is not None
        assert part.centers.tolist() == [[3, 4, 5]]
        assert part.point_columns["own"].tolist() == [False, True]
        assert part.point_columns["side"].tolist() == ["b", ""]
    assert whole[np.array([1, 0])].point_columns["side"].tolist() == ["b", "", "a"]
    for make in (clouds, holograms, embeddings):
        assert make(centers=None)[:1].centers is None


def test_the_former_name_of_the_loss_is_an_alias() -> None:
    losses = np.array([0.0, 0.5])
    whole = embeddings(reconstruction_cosine_loss=losses)
    assert whole.reconstruction_cosine is whole.reconstruction_cosine_loss is losses
    with pytest.raises(AttributeError):
        whole.reconstruction_cosine = losses  # type: ignore[misc]


# Named arrays


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "a kind"}, "NamedArrays.kind is 'a kind'; it must be a name such as"),
        ({"arrays": {}}, "NamedArrays.arrays is empty; it must hold at least one array"),
        ({"arrays": {"a/b": [1]}}, "NamedArrays.arrays: 'a/b' is not a name"),
        ({"arrays": {"a": np.array(1)}}, r"NamedArrays.arrays\['a'\] has shape \[\]; it must have rows"),
        (
            {"arrays": {"a": np.zeros((2, 0))}},
            r"NamedArrays.arrays\['a'\] has shape \[2, 0\]; it must have rows",
        ),
        (
            {"arrays": {"a": [1j]}},
            r"NamedArrays.arrays\['a'\] has dtype complex128; it must hold truth values",
        ),
        ({"arrays": {"a": np.zeros(1, np.float16)}}, r"NamedArrays.arrays\['a'\] has dtype float16"),
        (
            {"arrays": {"a": np.array([["x"]])}},
            r"NamedArrays.arrays\['a'\] has dtype .*text in one dimension",
        ),
        ({"arrays": {"a": np.array([None])}}, r"NamedArrays.arrays\['a'\] has dtype object"),
        ({"header": {"a": np.zeros(1)}}, "NamedArrays.header is .*; it must hold text, finite numbers"),
        ({"header": {"a": float("nan")}}, "NamedArrays.header is .*; it must hold text, finite numbers"),
    ],
)
def test_named_arrays_that_are_none(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HoloError, match=message):
        NamedArrays(**{"kind": "VectorIndex", "arrays": {"a": [1]}, **values})


@pytest.mark.parametrize("kind", ["Embeddings", "Holograms"])
def test_named_arrays_do_not_pass_for_another_type(kind: str) -> None:
    with pytest.raises(HoloError, match=f"NamedArrays.kind is '{kind}'; it must be a name of its own"):
        NamedArrays(kind, {"a": [1]})


def test_named_arrays_are_equal_by_value_and_cannot_change_by_their_maps() -> None:
    arrays = {"a": np.array([1.0, np.nan])}
    index = NamedArrays("VectorIndex", arrays, {"sizes": (1, 2)})
    assert index == NamedArrays("VectorIndex", {"a": np.array([1.0, np.nan])}, {"sizes": [1, 2]})
    assert index != NamedArrays("VectorIndex", {"a": np.array([1.0, 2.0])}, {"sizes": [1, 2]})
    assert index != NamedArrays("VectorIndex", arrays, {"sizes": [1, 2.5]})
    with pytest.raises(TypeError):
        index.arrays["b"] = arrays["a"]  # type: ignore[index]


def test_one_degree_of_holograms_and_the_bandwidth_of_images() -> None:
    coefficients = np.arange(2.0 * PROTEIN.dim).reshape(2, -1)
    block = Holograms(coefficients, PROTEIN).degree(2)
    assert block.shape == (2, 40, 5)
    assert block[0, 0, 0] == 44 + 40 * 3
    assert images().bandwidth == 2
    assert images(values=np.zeros((2, 1, 4, 7)), grid="gauss-legendre").bandwidth == 4


def test_importing_holo_types_brings_no_other_package_along() -> None:
    code = "import holo_types, sys; print({'torch', 'pandas', 'cyclopts', 'rich', 'e3nn'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_objects_are_printed_in_a_few_lines() -> None:
    basis = Basis(lmax=1, radial=Zernike(nmax=2, cutoff=10.0, envelope=1.5), channels=("C", "N"))
    names = {"chain": np.array(["A", "<b>"] * 500), "residue_number": np.arange(1000)}
    holograms = Holograms(np.zeros((1000, basis.dim)), basis, names)
    text, page = repr(holograms), holograms._repr_html_()
    assert text.splitlines()[:2] == [
        f"Holograms: 1,000 rows of {basis.dim} coefficients",
        "  basis: lmax 1, nmax 2, cutoff 10 Å, envelope 1.5 Å; channels C N",
    ]
    assert "997 more rows" in text
    assert len(text.splitlines()) <= 10
    assert "&lt;b&gt;" in page
    assert "<b>" not in page.removeprefix("<div><b>")
