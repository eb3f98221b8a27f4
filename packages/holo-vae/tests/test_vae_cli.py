"""The command line, through real processes where exit status and output matter."""

import json
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest

import holo_features
from holo_types import Basis, Embeddings, Holograms, Zernike, load, save
from holo_vae import ModelConfig, Recipe, TrainingConfig, initial_model, write_model, write_recipe
from holo_vae.cli.program import main
from holo_vae.recipes.recipe import read_recipe
from holo_vae.recipes.shipped import find_recipe

PROTEIN = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N", "O", "S"))


def holo_vae(*arguments: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from holo_vae.cli.program import main; sys.exit(main())",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=600,  # however busy the machine is
        check=False,
    )


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    config = ModelConfig(basis=PROTEIN, latent_dim=4, lmax=(2, 1), channels=(6, 6), initial_projection=6)
    write_model(initial_model(Recipe(model=config), 1.0, "small"), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def structures(tmp_path: Path) -> list[Path]:
    return list(holo_features.datasets.example_structures()[:2])


def test_train_evaluate_and_embed_from_files(
    tmp_path: Path, holograms: Holograms, recipe: Recipe, monkeypatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    save(holograms, tmp_path / "data.h5")
    # Long enough to be better than the mean hologram, which the promotion gate asks of a first champion.
    recipe = attrs.evolve(recipe, training=attrs.evolve(recipe.training, epochs=40, learning_rate=2e-2))
    write_recipe(recipe, tmp_path / "recipe.yaml")
    trained = holo_vae(
        "train", "data.h5", "--out", "run", "--recipe", "recipe.yaml", "--name", "small", "--register",
        folder=tmp_path,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert "validation mse" in trained.stdout
    assert "cosine" in trained.stdout
    assert "models:/small@champion" in trained.stdout
    assert {"model", "recipe.yaml", "history.csv", "evaluation.json", "mlflow.db"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 1 + recipe.training.epochs

    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "run/model", "data.h5", "--out", "figures.json"]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["rows"] == 80
    assert figures["equivariance"]["invariants"] < 1e-5

    assert main(["embed", "data.h5", "--model", "run/model", "--out", "z.h5"]) == 0
    embeddings = load(tmp_path / "z.h5")
    assert isinstance(embeddings, Embeddings)
    assert embeddings.index == holograms.index
    assert embeddings.reconstruction_cosine_loss is not None
    assert embeddings.reconstruction_cosine_loss.mean() == pytest.approx(
        figures["reconstruction"]["cosine_loss"], abs=1e-5
    )


def test_a_bad_file_does_not_cost_the_others(
    tmp_path: Path, model_folder: Path, structures: list[Path]
) -> None:
    (tmp_path / "empty.pdb").touch()
    (tmp_path / "truncated.bcif.gz").write_bytes(structures[0].read_bytes()[:500])
    done = holo_vae(
        "embed", structures[0], "empty.pdb", "truncated.bcif.gz", "missing.cif", structures[1],
        "--model", model_folder, "--out", "z.h5", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "2 of 5 files gave results, 3 failed" in done.stdout
    embeddings = load(tmp_path / "z.h5")
    assert isinstance(embeddings, Embeddings)
    assert len(np.unique(embeddings.index["structure"])) == 2
    skipped = (tmp_path / "z.skipped.csv").read_text()
    assert all(name in skipped for name in ("empty.pdb", "truncated.bcif.gz", "missing.cif"))
    assert "Traceback" not in done.stderr


def test_nothing_useful_is_status_one(tmp_path: Path, model_folder: Path, capsys) -> None:
    text, out = tmp_path / "text.pdb", tmp_path / "z.h5"
    text.write_text("not a structure\n")
    assert main(["embed", str(text), "--model", str(model_folder), "--out", str(out)]) == 1
    assert "text.pdb: it holds no ATOM record" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("arguments", [["embed"], ["train", "--epochs"], ["nonsense"], ["embed", "a.pdb"]])
def test_wrong_usage_is_status_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.strip()


def test_wrong_inputs_are_named(tmp_path: Path, model_folder: Path, structures, capsys) -> None:
    holograms = Holograms(np.ones((2, PROTEIN.dim)), PROTEIN, {"structure": ["a", "b"]})
    save(holograms, tmp_path / "holograms.h5")
    other = attrs.evolve(PROTEIN, channels=("C", "N", "O", "P"))
    save(Holograms(np.ones((2, other.dim)), other), tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("text")
    model = str(model_folder)
    cases = {
        ("evaluate", model, str(tmp_path / "other.h5")): "takes channels",
        ("evaluate", model, str(tmp_path / "text.h5")): "text.h5",
        ("evaluate", model, str(tmp_path / "missing.h5")): "missing.h5",
        ("evaluate", str(tmp_path), str(tmp_path / "holograms.h5")): "holds no model",
        ("embed", str(structures[0]), "--model", model, "--out", str(tmp_path / "z.txt")): "must end in",
        ("train", str(tmp_path / "text.h5"), "--out", str(tmp_path / "run")): "text.h5",
        ("train", str(tmp_path / "holograms.h5"), "--out", str(tmp_path / "text.h5")): "text.h5",
    }
    for arguments, message in cases.items():
        assert main(list(arguments)) == 1
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_tables(tmp_path: Path, model_folder: Path, structures: list[Path], suffix: str) -> None:
    import pandas as pd

    out = tmp_path / f"z{suffix}"
    assert main(["embed", str(structures[0]), "--model", str(model_folder), "--out", str(out)]) == 0
    table = pd.read_parquet(out) if suffix == ".parquet" else pd.read_csv(out)
    local = holo_vae_embed(structures[0], model_folder)
    assert len(table) == len(local)
    np.testing.assert_allclose(table["z_3"], local.invariants[:, 3], atol=1e-6)


def holo_vae_embed(path: Path, model: Path) -> Embeddings:
    import holo_vae

    return holo_vae.embed([path], model)


def test_help_names_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--recipe" in text
    assert "champion" in text


def test_a_bad_recipe_is_named(tmp_path: Path, holograms: Holograms, capsys) -> None:
    save(holograms, tmp_path / "data.h5")
    (tmp_path / "bad.yaml").write_text("model: {}\nepochs: 3\n")
    arguments = [
        "train",
        str(tmp_path / "data.h5"),
        "--out",
        str(tmp_path),
        "--recipe",
        str(tmp_path / "bad.yaml"),
    ]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "bad.yaml" in error
    assert "epochs" in error


def test_an_input_is_never_the_output(tmp_path: Path, model_folder: Path, capsys) -> None:
    path = tmp_path / "data.h5"
    save(Holograms(np.ones((2, PROTEIN.dim)), PROTEIN, {"structure": ["a", "b"]}), path)
    content = path.read_bytes()
    assert main(["embed", str(path), "--model", str(model_folder), "--out", str(path)]) == 1
    assert "which is an input" in capsys.readouterr().err
    assert path.read_bytes() == content


def test_another_model_does_not_continue_a_file(
    tmp_path: Path, model_folder: Path, structures, capsys
) -> None:
    other = Recipe(
        model=ModelConfig(basis=PROTEIN, latent_dim=4, lmax=(2, 1), channels=(6, 6), initial_projection=6),
        training=TrainingConfig(seed=1),
    )
    write_model(initial_model(other, 1.0, "other"), tmp_path / "other")
    embed = ["embed", str(structures[0]), "--out", str(tmp_path / "z.h5")]
    assert main([*embed, "--model", str(model_folder)]) == 0
    assert main([*embed, "--model", str(tmp_path / "other"), "--resume"]) == 1
    assert "made with other options: model was " in capsys.readouterr().err


def test_a_resumed_run_embeds_only_what_is_missing(tmp_path: Path, model_folder: Path, structures) -> None:
    options = ["--model", str(model_folder), "--out"]
    assert main(["embed", *map(str, structures), *options, str(tmp_path / "whole.h5")]) == 0
    assert main(["embed", str(structures[0]), *options, str(tmp_path / "z.h5")]) == 0
    assert main(["embed", *map(str, structures), *options, str(tmp_path / "z.h5"), "--resume"]) == 0
    assert load(tmp_path / "z.h5") == load(tmp_path / "whole.h5")


# Pockets of complexes


@pytest.fixture
def complexes(tmp_path: Path, structures: list[Path]) -> Path:
    """A folder with a table of three complexes, the ligand of one of which is not there."""
    folder = tmp_path / "complexes"
    folder.mkdir()
    rows = ["id,protein,ligand,label"]
    for name, path in zip(("one", "two"), structures, strict=True):
        x, y, z = holo_features.read_structure(path).atoms.coord[100] + 3.0
        atom = f"{x:10.4f}{y:10.4f}{z:10.4f} C   0  0"
        lines = ["methane", "", "", "  1  0  0  0  0  0  0  0  0  0999 V2000", atom, "M  END", "$$$$", ""]
        (folder / f"{name}.sdf").write_text("\n".join(lines))
        rows.append(f"{name},{path},{name}.sdf,6.5")
    rows.append(f"three,{structures[0]},three.sdf,7.1")
    (folder / "labels.csv").write_text("\n".join([*rows, ""]))
    return folder


def test_pockets_of_complexes_are_embedded_as_their_holograms_are(
    tmp_path: Path, model_folder: Path, complexes: Path, capsys
) -> None:
    from holo_features.cli.program import main as holo_features_main

    out, model = tmp_path / "z.h5", str(model_folder)
    embed = ["embed", "--pocket", str(complexes), "--model", model, "--out", str(out)]
    assert main(embed) == 3
    said = capsys.readouterr()
    assert "2 of 3 files gave results, 1 failed" in said.out
    assert "complex three: " in said.err
    skipped = (tmp_path / "z.skipped.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in skipped] == ["file", "three"]

    basis = ["--lmax", "2", "--nmax", "4", "--cutoff", "8"]
    pockets = tmp_path / "pockets.h5"
    assert holo_features_main(["complexes", str(complexes), "--out", str(pockets), *basis]) == 3
    assert main(["embed", str(pockets), "--model", model, "--out", str(tmp_path / "two_steps.h5")]) == 0
    straight, two_steps = load(out), load(tmp_path / "two_steps.h5")
    assert isinstance(straight, Embeddings)
    assert straight.index == two_steps.index
    assert set(straight.index["structure"].tolist()) == {"one", "two"}
    np.testing.assert_allclose(straight.invariants, two_steps.invariants, atol=1e-5)

    # Of what is there nothing is embedded again, the rest is tried again.
    rows = (complexes / "labels.csv").read_text().replace("three.sdf", "one.sdf")
    (complexes / "labels.csv").write_text(rows)
    assert main([*embed, "--resume"]) == 0
    resumed = load(out)
    assert isinstance(resumed, Embeddings)
    np.testing.assert_array_equal(resumed.invariants[: len(straight)], straight.invariants)
    assert set(resumed.index["structure"].tolist()) == {"one", "two", "three"}


def test_atoms_of_ligands_are_embedded_as_their_holograms_are(
    tmp_path: Path, model_folder: Path, complexes: Path, capsys
) -> None:
    from holo_features.cli.program import main as holo_features_main

    out, model = tmp_path / "z.h5", str(model_folder)
    assert main(["embed", "--ligand", str(complexes), "--model", model, "--out", str(out)]) == 3
    assert "2 of 3 files gave results, 1 failed" in capsys.readouterr().out
    basis = ["--lmax", "2", "--nmax", "4", "--cutoff", "8", "--centers", "ligand"]
    atoms = tmp_path / "atoms.h5"
    assert holo_features_main(["complexes", str(complexes), "--out", str(atoms), *basis]) == 3
    assert main(["embed", str(atoms), "--model", model, "--out", str(tmp_path / "two_steps.h5")]) == 0
    straight, two_steps = load(out), load(tmp_path / "two_steps.h5")
    assert isinstance(straight, Embeddings)
    assert straight.index == two_steps.index
    assert straight.index["structure"].tolist() == ["one", "two"]  # methane: one heavy atom each
    np.testing.assert_allclose(straight.invariants, two_steps.invariants, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ligand", "--pocket"], "--pocket and --ligand are both given; it must be one of the two"),
        (["--ligand", "--secondary-structure"], "--secondary-structure is for residues"),
        (["--ligand", "--chains", "A"], "--chains, --assembly, --hetero and similar options"),
        (["--pocket", "--residues", "A:1"], "--residues: only for structures"),
        (["--ligand", "--minimum-plddt", "50"], "--minimum-plddt: only for structures"),
    ],
)
def test_options_that_exclude_one_another_are_named(
    tmp_path: Path, complexes: Path, capsys, options: list[str], message: str
) -> None:
    out = tmp_path / "z.h5"
    assert main(["embed", str(complexes), *options, "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_what_is_no_data_set_of_complexes_is_named(
    tmp_path: Path, model_folder: Path, structures: list[Path], capsys
) -> None:
    (tmp_path / "nothing").mkdir()
    cases = {
        ("pockets.h5",): "--pocket takes one data set of complexes",
        ("one.csv", "two.csv"): "it was given one.csv, two.csv",
        (str(tmp_path / "nothing"),): "the folder must hold one CSV file",
        (str(structures[0]),): "it is not a CSV file",
    }
    for inputs, message in cases.items():
        embed = ["embed", *inputs, "--pocket", "--model", str(model_folder), "--out", str(tmp_path / "z.h5")]
        assert main(embed) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "z.h5").exists()


def test_the_residues_and_chains_that_are_asked_for_are_embedded(
    tmp_path: Path, model_folder: Path, structures: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def embedded(*options: str) -> Embeddings:
        arguments = [
            "embed",
            str(structures[0]),
            "--model",
            str(model_folder),
            "--out",
            str(tmp_path / "z.h5"),
        ]
        assert main([*arguments, *options]) == 0, capsys.readouterr().err
        return load(tmp_path / "z.h5", kind=Embeddings)

    whole = embedded()
    chain, number = whole.index["chain"][5], whole.index["residue_number"][5]
    one = embedded("--residues", f"{chain}:{number}", "--chains", chain)
    np.testing.assert_array_equal(one.index["residue_number"], [number])
    np.testing.assert_allclose(one.invariants[0], whole.invariants[5], atol=1e-5)
    assert main(["embed", str(structures[0]), "--out", str(tmp_path / "z.h5"), "--residues", "five"]) == 1
    assert "it must be written as chain:number" in capsys.readouterr().err


def test_a_recipe_is_printed_as_it_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "mnist-hae-z16"]) == 0
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert read_recipe(tmp_path / "mine.yaml") == find_recipe("mnist-hae-z16")
    assert main(["recipes", "show", "mnist"]) == 1
    assert "mnist: no such recipe; name one of microenvironment-" in capsys.readouterr().err
