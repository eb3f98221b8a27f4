"""The MLflow flavour of a model: both forms of a request, every refusal, and a real `mlflow models serve`."""

import base64
import contextlib
import gzip
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

import holo_features
from holo_types import Basis, HoloError, Holograms, Zernike, to_table
from holo_vae.embedding import embed, embed_holograms
from holo_vae.networks.model import Model
from holo_vae.networks.network import HolographicAutoencoder
from holo_vae.networks.storage import write_model
from holo_vae.recipes.model import Condition, ModelConfig
from holo_vae.serving import service as serving
from holo_vae.serving.holograms import encode_coefficients
from holo_vae.serving.limits import Deadline, Limits, RefusedRequest
from holo_vae.serving.service import ServedModel, encode_content, input_example, signature

BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
SPHERE = Basis(lmax=2, radial=None, channels=("image",))
STRUCTURES = holo_features.datasets.example_structures()[:2]
SECRET = "hunter2"  # in what is sent; never in what is answered


def tiny_model(basis: Basis, condition: Condition | None = None) -> Model:
    torch.manual_seed(0)
    config = ModelConfig(
        basis=basis,
        latent_dim=6,
        lmax=(2, 1),
        channels=(6, 8),
        initial_projection=6,
        condition=condition,
    )
    return Model(HolographicAutoencoder(config).eval(), "small")


@pytest.fixture(scope="module")
def served() -> ServedModel:
    return ServedModel(tiny_model(BASIS))


def holograms(rows: int, dtype: str = "<f4") -> Holograms:
    return Holograms(np.random.default_rng(1).normal(size=(rows, BASIS.dim)).astype(dtype), BASIS)


def of_structures(*paths: Path) -> list[dict[str, Any]]:
    return [{"name": path.name, "content": encode_content(path)} for path in paths]


def of_holograms(rows: Holograms) -> list[dict[str, Any]]:
    return [{"holograms": encode_coefficients(rows.coefficients), "basis": rows.basis.digest}]


def atom(serial: int, name: str, x: str = "1.000", record: str = "ATOM", residue: str = "ALA") -> str:
    return (
        f"{record:6s}{serial:5d}  {name:3s} {residue} A{serial % 9999:4d}    {x:>8s}   2.000   3.000"
        f"  1.00  0.00           {name[0]}\n"
    )


# What they give


def test_structures_give_what_embed_gives(served: ServedModel) -> None:
    answer = served.predict(pd.DataFrame(of_structures(*STRUCTURES)))
    pd.testing.assert_frame_equal(answer, to_table(embed(STRUCTURES, served.model)), atol=1e-6)


def test_text_and_packed_text_give_the_same(served: ServedModel) -> None:
    text = input_example(served.model)
    packed = base64.b64encode(gzip.compress(text["content"][0].encode())).decode()
    request = pd.DataFrame([{"name": "TRIPEPTIDE.PDB.GZ", "content": packed}])
    expected = served.predict(text).drop(columns="structure")
    pd.testing.assert_frame_equal(served.predict(request).drop(columns="structure"), expected)


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_holograms_give_what_the_model_gives(served: ServedModel, dtype: str) -> None:
    rows = holograms(600, dtype)  # more than a batch
    answer = served.predict(pd.DataFrame(of_holograms(rows)))
    expected = to_table(embed_holograms(served.model, rows))
    assert answer.pop("hologram").tolist() == list(range(600))
    pd.testing.assert_frame_equal(answer, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("residues", "chosen"),
    [
        ("A:30-35", [*range(30, 36)]),
        ("A:40, A:30-31 ,A:31", [30, 31, 40]),
        ("A:-5-2", [*range(-5, 3)]),
        ("A", [*range(1, 999)]),
    ],
)
def test_chosen_residues_are_rows_of_all(served: ServedModel, residues: str, chosen: list[int]) -> None:
    request = pd.DataFrame(of_structures(STRUCTURES[0]))
    every = served.predict(request)
    expected = every[every["residue_number"].isin(chosen)].reset_index(drop=True)
    answer = served.predict(request.assign(residues=residues))
    pd.testing.assert_frame_equal(answer, expected, atol=1e-6)


def test_an_insertion_code_chooses_one_residue(served: ServedModel) -> None:
    text = input_example(served.model)["content"][0]
    twice = text.replace(" LEU A   2 ", " LEU A   1B")
    request = pd.DataFrame([{"name": "a.pdb", "content": twice}])
    for residues, names in {"A:1": ["VAL"], "A:1B": ["LEU"], "A:1-1": ["VAL", "LEU"]}.items():
        assert served.predict(request.assign(residues=residues))["residue_name"].tolist() == names


def test_only_some_structures_have_a_choice(served: ServedModel) -> None:
    first, second = of_structures(*STRUCTURES)
    answer = served.predict(pd.DataFrame([first | {"residues": "A:30"}, second]))
    whole = served.predict(pd.DataFrame([second]))
    assert len(answer) == 1 + len(whole)


@pytest.mark.parametrize("folders", ["../../", "..\\..\\", "/etc/"])
def test_a_name_is_no_path(served: ServedModel, folders: str) -> None:
    request = pd.DataFrame(of_structures(STRUCTURES[0])).assign(name=f"{folders}{STRUCTURES[0].name}")
    assert set(served.predict(request)["structure"]) == {STRUCTURES[0].name.removesuffix(".bcif.gz")}


def test_a_model_of_images_takes_holograms_only() -> None:
    served = ServedModel(tiny_model(SPHERE))
    assert len(served.predict(input_example(served.model))) == 2
    with pytest.raises(RefusedRequest, match="sphere images"):
        served.predict(pd.DataFrame([{"name": "a.pdb", "content": "x"}]))


def test_a_conditional_model_gives_no_cosine() -> None:
    condition = Condition(column="residue_name", categories=("ALA", "GLY"))
    served = ServedModel(tiny_model(BASIS, condition))
    answer = served.predict(input_example(served.model))
    expected = signature(served.model).outputs.input_names()
    assert list(answer) == [name for name in expected if name != "hologram"]
    assert "reconstruction_cosine_loss" not in expected
    assert len(served.predict(pd.DataFrame(of_holograms(holograms(4))))) == 4


@pytest.mark.parametrize("basis", [BASIS, SPHERE])
def test_the_signature_is_that_of_the_answers(basis: Basis) -> None:
    served = ServedModel(tiny_model(basis))
    declared = signature(served.model)
    request = input_example(served.model)
    assert set(request) <= set(declared.inputs.input_names())
    answer = served.predict(request)
    assert [name for name in declared.outputs.input_names() if name in answer] == list(answer)
    assert set(declared.outputs.required_input_names()) <= set(answer)


# What is refused


def npy(array: np.ndarray, *, version: tuple[int, int] | None = None, pickled: bool = False) -> str:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=pickled)
    return base64.b64encode(file.getvalue()).decode()


def header(text: str, payload: bytes = b"") -> str:
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + payload
    return base64.b64encode(content).decode()


def described(shape: str, descr: str = "<f4") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


DIM = BASIS.dim
ROWS = np.random.default_rng(2).normal(size=(3, DIM)).astype(np.float32)


def with_value(value: float) -> np.ndarray:
    spoilt = ROWS.copy()
    spoilt[1, 4] = value
    return spoilt


BAD_HOLOGRAMS = {
    "not base64": (SECRET + "%", "base64"),
    "no npy": (base64.b64encode(SECRET.encode()).decode(), "not a .npy"),
    "empty": ("", "not a .npy"),
    "cut header": (header(described(f"(3, {DIM})"))[:40], "not a .npy"),
    "rubbish header": (header(SECRET), "not a .npy"),
    "deep header": (header("(" * 5000), "not a .npy"),
    "long header": (header(" " * 60_000), "not a .npy"),
    "other version": (npy(ROWS, version=(3, 0)), "not a .npy"),
    "pickle": (npy(np.array([SECRET, None], dtype=object), pickled=True), "little-endian float32"),
    "float16": (npy(ROWS.astype(np.float16)), "little-endian float32"),
    "integers": (npy(ROWS.astype(np.int64)), "little-endian float32"),
    "complex": (npy(ROWS.astype(np.complex64)), "little-endian float32"),
    "record": (npy(np.zeros(3, dtype=[(SECRET, "<f4")])), "little-endian float32"),
    "big-endian": (npy(ROWS.astype(">f4")), "little-endian float32"),
    "Fortran order": (npy(np.asfortranarray(ROWS)), "C order"),
    "wrong width": (npy(ROWS[:, :-1]), re.escape(f"[n, {DIM}]")),
    "one dimension": (npy(ROWS[0]), re.escape(f"[n, {DIM}]")),
    "three dimensions": (npy(ROWS[None]), re.escape(f"[n, {DIM}]")),
    "no rows": (npy(ROWS[:0]), "n at least 1"),
    "negative shape": (header(described(f"(-3, {DIM})")), "n at least 1"),
    "bomb": (header(described(f"({10**12}, {DIM})")), "more holograms than the 10000"),
    "cut": (header(described(f"(3, {DIM})"), b"\0" * 11), "not as many bytes"),
    "more than it says": (header(described(f"(3, {DIM})"), b"\0" * 4 * (3 * DIM + 1)), "not as many bytes"),
    "NaN": (npy(with_value(np.nan)), "hologram 1 .* not a finite"),
    "infinity": (npy(with_value(-np.inf)), "hologram 1 .* not a finite"),
    "overflow": (npy(with_value(3e38)), "not all of rows 0 to 2 of the answer would be finite"),
    "overflow of float32": (npy(ROWS.astype(float) * 1e200), "not all of rows .* would be finite"),
}


@pytest.mark.parametrize("kind", BAD_HOLOGRAMS)
def test_holograms_are_refused(served: ServedModel, kind: str) -> None:
    text, reason = BAD_HOLOGRAMS[kind]
    refused(served, [{"holograms": text, "basis": BASIS.digest}], reason)


LINE = atom(1, "CA") + atom(1, "N", x="90.000")
CROWD = "".join(atom(serial, "CA", x=f"{0.009 * serial:.3f}") for serial in range(1, 1102))
BAD_ROWS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "rubbish": ([{"name": f"{SECRET}.pdb", "content": SECRET}], r"row 0: content .* \.pdb reader"),
    "rubbish mmCIF": ([{"name": "a.cif", "content": f"data_{SECRET}\n_a {SECRET}"}], r"\.cif reader"),
    "control characters": ([{"name": "a.cif", "content": f"\x1b[31m{SECRET}"}], r"\.cif reader"),
    "rubbish BinaryCIF": ([{"name": "a.bcif", "content": "aHVudGVyMg=="}], r"\.bcif reader"),
    "empty": ([{"name": "a.pdb", "content": " \n"}], "row 0: content is empty"),
    "another format": ([{"name": f"a.{SECRET}", "content": "x"}], r"must end in \.pdb"),
    "ligand": ([{"name": "a.pdbqt", "content": "x"}], r"must end in \.pdb"),
    "not base64": ([{"name": "a.bcif", "content": SECRET + "%"}], "base64, as name ends in .bcif"),
    "not gzip": ([{"name": "a.pdb.gz", "content": "aHVudGVyMg=="}], "damaged gzip"),
    "cut gzip": (
        [{"name": "a.pdb.gz", "content": base64.b64encode(gzip.compress(b"x" * 99)[:-4]).decode()}],
        "damaged gzip",
    ),
    "NaN": ([{"name": "a.pdb", "content": atom(1, "CA", x="nan")}], "row 0: content"),
    "infinity in mmCIF": (
        [
            {
                "name": "a.cif",
                "content": "data_a\nloop_\n"
                + "".join(
                    f"_atom_site.{name}\n"
                    for name in (
                        *("group_PDB", "id", "type_symbol", "label_atom_id", "label_comp_id"),
                        *("label_asym_id", "label_seq_id", "Cartn_x", "Cartn_y", "Cartn_z"),
                        *("auth_seq_id", "auth_asym_id"),
                    )
                )
                + "ATOM 1 C CA ALA A 1 1e60 2.0 3.0 1 A\n",
            }
        ],
        "a coordinate is not a finite number",
    ),
    "water": (
        [{"name": "a.pdb", "content": atom(1, "O", record="HETATM", residue="HOH")}],
        "no amino acid residue",
    ),
    "without Cα": ([{"name": "a.pdb", "content": atom(1, "N")}], "no residue with a Cα"),
    "trace": ([{"name": "a.pdb", "content": atom(1, "CA")}], "no residue with a Cα and N or C beside it"),
    "alone": ([{"name": "a.pdb", "content": LINE}], "no residue of the request has an atom"),
    "crowd": ([{"name": "a.pdb", "content": CROWD}], "more than 500 atoms in a cube of 10 Å"),
    "one name": (
        [{"name": f"{SECRET}.ent", "content": LINE}, {"name": f"{SECRET}.pdb", "content": LINE}],
        "row 1: name, .* is that of row 0",
    ),
    "no name": ([{"name": "", "content": "x"}], "name must be a file's"),
    "folder": ([{"name": "..", "content": "x"}], "name must be a file's"),
    "line in a name": ([{"name": f"a\n{SECRET}.pdb", "content": "x"}], "name must be a file's"),
    "long name": ([{"name": "a" * 300 + ".pdb", "content": "x"}], "name must be a file's"),
    "number": ([{"name": "a.pdb", "content": 5}], "row 0: content must be text"),
    "list": ([{"name": ["a.pdb", SECRET], "content": "x"}], "row 0: name must be text"),
    "no content": ([{"name": f"{SECRET}.pdb"}], "row 0 has name; it must be name and content"),
    "null content": ([{"name": f"{SECRET}.pdb", "content": None}], "row 0 has name; it must"),
    "second without": ([{"name": "a.pdb", "content": "x"}, {"name": "b.pdb"}], "row 1 has name; it must"),
    "unknown column": ([{"name": "a.pdb", "content": "x", SECRET: "A:1"}], "a column that is not known"),
    "no basis": ([{"holograms": "x"}], "row 0 has holograms; it must"),
    "both": ([{"holograms": "x", "basis": "x"}, {"name": "a.pdb", "content": "x"}], "send them apart"),
    "holograms of residues": ([{"holograms": "x", "basis": "x", "residues": "A"}], "it must be name and"),
    "two batches": ([{"holograms": "x", "basis": "x"}] * 2, "2 rows of holograms"),
    "wrong basis": (of_holograms(holograms(2))[:1], "whose digest is " + BASIS.digest),
    "no rows": ([], "the request is empty"),
}
BAD_ROWS["wrong basis"][0][0]["basis"] = SPHERE.digest


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_rows_are_refused(served: ServedModel, kind: str) -> None:
    refused(served, *BAD_ROWS[kind])


def test_half_a_surrogate_is_refused(served: ServedModel) -> None:
    with pytest.raises(RefusedRequest, match="row 0: content is not valid Unicode text"):
        served.predict(pd.DataFrame([{"name": "a.pdb", "content": "\ud800"}], dtype=object))


@pytest.mark.parametrize(
    ("residues", "reason"),
    [
        ("", "item 1 of residues must be a chain"),
        ("A:30,,A:31", "item 2 of residues must be"),
        ("A:", "item 1 of residues must be"),
        (":5", "item 1 of residues must be"),
        (f"A:{SECRET}", "item 1 of residues must be"),
        ("A:5-", "item 1 of residues must be"),
        ("A:1234567890", "item 1 of residues must be"),
        ("A:30B-35", "item 1 of residues must be"),
        (f"A:30,{SECRET}", "item 2 of residues is not a residue"),
        ("A:35-30", "item 1 of residues is not a residue"),
        ("A:30Q", "item 1 of residues is not a residue"),
        ("A," * 10_000, "residues has more items"),
    ],
)
def test_a_choice_of_residues_is_refused(served: ServedModel, residues: str, reason: str) -> None:
    refused(served, [{**of_structures(STRUCTURES[0])[0], "residues": residues}], "row 0: " + reason)


def refused(served: ServedModel, rows: list[dict[str, Any]], reason: str, status: int = 400) -> None:
    with pytest.raises(RefusedRequest, match=reason) as caught:
        served.predict(pd.DataFrame(rows))
    assert caught.value.get_http_status_code() == status
    body = json.loads(caught.value.serialize_as_json())
    assert set(body) == {"error_code", "message"}
    assert is_one_line_of_ours(body["message"])


def is_one_line_of_ours(message: str) -> bool:
    return message.isprintable() and SECRET not in message and "tmp" not in message and len(message) < 250


@pytest.mark.parametrize("params", [{}, {SECRET: 1}])
def test_parameters_are_refused(served: ServedModel, params: dict[str, object]) -> None:
    with pytest.raises(RefusedRequest, match="has params, which are not supported"):
        served.predict(input_example(served.model), params)


def test_an_error_of_ours_is_logged_and_not_told(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(model: Model, rows: Holograms) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(serving, "embed_unnamed", broken)
    refused(served, of_holograms(holograms(1)), "the service failed; its log says why", status=500)
    assert "RuntimeError at test_vae_serving.py" in caplog.text
    assert SECRET not in caplog.text


# Limits


def test_limits_are_read_from_the_environment() -> None:
    limits = Limits.from_environment(
        {
            "HOLO_SERVING_MAX_BYTES": "1000",
            "HOLO_SERVING_MAX_RESIDUES": "7",
            "HOLO_SERVING_MAX_SECONDS": "2.5",
        }
    )
    assert limits == Limits(max_bytes=1000, max_residues=7, max_seconds=2.5)
    assert Limits.from_environment({}) == Limits()
    assert Limits.from_environment({"MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": "3"}).max_seconds == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_BYTES", "many"), ("MAX_BYTES", "1.5"), ("MAX_RESIDUES", "0"), ("MAX_SECONDS", "nan")],
)
def test_a_limit_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(HoloError, match=f"HOLO_SERVING_{name} is '{value}'; it must be"):
        Limits.from_environment({f"HOLO_SERVING_{name}": value})


def test_too_many_residues_are_refused(served: ServedModel) -> None:
    small = ServedModel(served.model, Limits(max_residues=200))
    rows = of_structures(*STRUCTURES)
    refused(small, rows, "row 1: with it there are more residues than the 200")
    assert len(small.predict(pd.DataFrame(rows).assign(residues="A:30-39"))) == 20
    refused(small, of_holograms(holograms(201)), "row 0: there are more holograms than the 200")
    assert len(small.predict(pd.DataFrame(of_holograms(holograms(200))))) == 200


def test_too_many_bytes_are_refused(served: ServedModel) -> None:
    rows = of_structures(STRUCTURES[0])
    size = sum(map(len, rows[0].values()))
    refused(ServedModel(served.model, Limits(max_bytes=size - 1)), rows, "more than [0-9]+ bytes")
    refused(ServedModel(served.model, Limits(max_bytes=size)), rows, "the structures are more bytes")


def peak(served: ServedModel, rows: list[dict[str, Any]], reason: str) -> int:
    tracemalloc.start()
    try:
        refused(served, rows, reason)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_bombs_fill_no_memory(served: ServedModel) -> None:
    small = ServedModel(served.model, Limits(max_bytes=2**20))
    packed = base64.b64encode(gzip.compress(bytes(2**26))).decode()
    assert peak(small, [{"name": "a.pdb.gz", "content": packed}], "row 0: with it the str") < 2**23
    rows = [{"holograms": BAD_HOLOGRAMS["bomb"][0], "basis": BASIS.digest}]
    assert peak(ServedModel(served.model, Limits(max_residues=10**13)), rows, "not as many bytes") < 2**20


def test_a_request_stops_when_its_time_is_over(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded, passed = [], 0.0

    def slow(model: Model, rows: Holograms) -> Any:
        nonlocal passed
        embedded.append(len(rows))
        passed = 61.0
        return embed_holograms(model, rows)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed)
    hasty = ServedModel(served.model, Limits(max_seconds=60))
    with monkeypatch.context() as patch:
        patch.setattr(serving, "embed_unnamed", slow)
        patch.setattr("holo_vae.serving.limits.time", clock)
        refused(hasty, of_holograms(holograms(2000)), "takes more than 60 s", status=504)
    assert embedded == [512]
    Deadline(60).check()


def test_a_structure_stops_when_its_time_is_over(served: ServedModel) -> None:
    hasty = ServedModel(served.model, Limits(max_seconds=1e-9))
    refused(hasty, of_structures(STRUCTURES[0]), "takes more than 1e-09 s", status=504)


# Structures are decoded in processes of their own


ENDLESS, HEAVY = "a", "b"  # residues of requests whose decoding is made so


def decode_badly(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make the decoding processes never end for some selections of residues, and fill the memory for others."""
    (folder / "sitecustomize.py").write_text(
        f"""
import holo_vae.serving.structures as structures

chosen = structures._chosen

def badly(centers, text, *rest):
    while text == {ENDLESS!r}:
        pass
    if text == {HEAVY!r}:
        bytearray(2**32)
    return chosen(centers, text, *rest)

structures._chosen = badly
"""
    )
    monkeypatch.syspath_prepend(str(folder))


def test_only_the_process_that_decodes_is_lost(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decode_badly(monkeypatch, tmp_path)
    limited = ServedModel(served.model)
    request = pd.DataFrame(of_structures(STRUCTURES[0])).assign(residues="A:30-35")
    expected = limited.predict(request)  # and the process is there
    limited.limits = Limits(max_seconds=3)
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(
            refused, limited, request.assign(residues=ENDLESS).to_dict("records"), "more than 3 s", 504
        )
        limited_too = ServedModel(served.model)
        pd.testing.assert_frame_equal(limited_too.predict(request), expected)
        endless.result()
    assert time.monotonic() - started < 300  # however busy the machine is
    limited.limits = Limits()
    pd.testing.assert_frame_equal(limited.predict(request), expected)


def decode_into_files(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Make the decoding processes never finish reading mmCIF; return the folder for temporary files."""
    (folder / "code").mkdir()
    (folder / "code" / "sitecustomize.py").write_text(
        """
import holo_vae.serving.structures as structures

read = structures.read_structure

def endlessly(path):
    while path.suffix == ".cif":
        pass
    return read(path)

structures.read_structure = endlessly
"""
    )
    (folder / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "temporary"))
    monkeypatch.syspath_prepend(str(folder / "code"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    return folder / "temporary"


def test_nothing_of_a_request_is_left_in_files(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = decode_into_files(monkeypatch, tmp_path)
    limited = ServedModel(served.model)
    assert len(limited.predict(pd.DataFrame(of_structures(STRUCTURES[0])).assign(residues="A:30"))) == 1
    limited.limits = Limits(max_seconds=3)
    refused(limited, [{"name": "a.cif", "content": SECRET}], "takes more than 3 s", 504)
    assert not [path for path in temporary.rglob("*") if path.is_file()]
    assert limited.decoders is not None
    limited.decoders.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited on Linux only")
def test_decoding_fills_no_memory(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decode_badly(monkeypatch, tmp_path)
    limited = ServedModel(served.model)
    request = pd.DataFrame(of_structures(STRUCTURES[0]))
    refused(
        limited, request.assign(residues=HEAVY).to_dict("records"), "takes more memory than a request", 504
    )
    assert len(limited.predict(request.assign(residues="A:30"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_process_that_is_killed_while_it_waits_is_not_missed(served: ServedModel) -> None:
    request = pd.DataFrame(of_structures(STRUCTURES[0])).assign(residues="A:30")
    expected = served.predict(request)
    assert served.decoders is not None
    for process in served.decoders._idle:
        process.kill()
        process.wait()
    pd.testing.assert_frame_equal(served.predict(request), expected)


def test_processes_that_decode_need_no_model() -> None:
    code = "import sys, holo_vae.serving.decoder; sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    assert not subprocess.run([sys.executable, "-c", code], check=False).returncode


# A registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, served: ServedModel) -> Iterator[str]:
    """Register the model in a sqlite store; return the address of the store."""
    folder = tmp_path_factory.mktemp("registry")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    write_model(served.model, folder / "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", store)
        mlflow.set_tracking_uri(store)
        mlflow.create_experiment("served", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("served")
        with mlflow.start_run():
            mlflow.pyfunc.log_model(
                name="model",
                loader_module="holo_vae.serving",
                data_path=str(folder / "small"),
                signature=signature(served.model),
                input_example=input_example(served.model),
                pip_requirements=["holo-vae"],
                registered_model_name="small",
            )
        yield store
        mlflow.set_tracking_uri(None)


def records(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"dataframe_records": rows}).encode()


GOOD = of_holograms(holograms(1))


# A real server


@pytest.fixture(scope="module")
def server(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `mlflow models serve`, and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "server.log"
    programs = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": registry,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "HOLO_SERVING_MAX_BYTES": "400000",
        "HOLO_SERVING_MAX_RESIDUES": "1100",
    }
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/small/1"),
        *("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]
    with log.open("wb") as output:
        # A session of its own: mlflow starts uvicorn as a child, which must end with it.
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 600  # however busy the machine is
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def post(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_server_gives_what_embed_gives(server: str, served: ServedModel) -> None:
    status, answer = post(server, records(of_structures(*STRUCTURES)))
    assert status == 200
    expected = to_table(embed(STRUCTURES, served.model))
    given = pd.DataFrame(answer["predictions"])
    pd.testing.assert_frame_equal(given, expected, check_dtype=False, atol=1e-6)
    few = [{**of_structures(STRUCTURES[0])[0], "residues": "A:30-35"}]
    assert [row["residue_number"] for row in post(server, records(few))[1]["predictions"]] == [*range(30, 36)]


def test_the_server_takes_holograms(server: str, served: ServedModel) -> None:
    rows = holograms(1000)
    status, answer = post(server, records(of_holograms(rows)))
    assert status == 200
    expected = to_table(embed_holograms(served.model, rows))
    given = pd.DataFrame(answer["predictions"]).drop(columns="hologram")
    pd.testing.assert_frame_equal(given, expected, check_dtype=False, atol=1e-6)


def test_the_server_refuses_in_one_line(server: str) -> None:
    bad: dict[str, tuple[list[dict[str, Any]], str]] = dict(BAD_ROWS)
    for kind, (text, reason) in BAD_HOLOGRAMS.items():
        bad[f"holograms: {kind}"] = (
            [{"holograms": text, "basis": BASIS.digest}],
            reason.replace("10000", "1100"),
        )
    bad["too many residues"] = of_holograms(holograms(1101)), "more holograms than the 1100"
    bad["too many bytes"] = [{"name": "a.pdb", "content": " " * 400_000}], "more than 400000 bytes"
    for kind, (rows, reason) in bad.items():
        status, answer = post(server, records(rows))
        assert status == 400, kind
        assert re.search(reason, answer["message"]), (kind, answer)
        assert set(answer) == {"error_code", "message"}, kind
        assert is_one_line_of_ours(answer["message"]), kind
    assert post(server, records(GOOD))[0] == 200


@pytest.mark.parametrize("params", [{SECRET: 1}, {}, [SECRET]])
def test_the_server_refuses_parameters(server: str, params: object) -> None:
    status, answer = post(server, json.dumps({"dataframe_records": GOOD, "params": params}).encode())
    assert (status, answer["message"]) == (400, "the request has params, which are not supported")


def test_columns_are_watched_whatever_is_logged(served: ServedModel, registry: str) -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    try:
        loaded = mlflow.pyfunc.load_model("models:/small/1")
        request = input_example(served.model)
        with pytest.raises(RefusedRequest, match="a column that is not known"):
            loaded.predict(request.assign(residue="A:1"))
        assert len(loaded.predict(request)) == 3  # the next request is another
    finally:
        logging.getLogger("mlflow").setLevel(logging.INFO)
