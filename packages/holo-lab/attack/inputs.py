"""The inputs of the commands that are killed: rows, recipe, models, embeddings, tables, complexes, predictors."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

import holo_types
import holo_vae
from holo_downstream import CrossFitSettings, cross_fit, read_labels, write_complex_predictor
from holo_downstream.affinity.regressors import Ensemble, HistogramBoosting, SupportVectors
from holo_features import STANDARD_AMINO_ACIDS, all_mutations, read_structure
from holo_features.datasets import example_structures
from holo_lab.affinity.blocks import DEFAULT_FEATURES
from holo_lab.affinity.folders import find_bound, folder_features
from holo_lab.mutations.learning import describe_table, learn, write_study
from holo_lab.mutations.tables import read_mutations
from holo_types import Basis, Embeddings, Holograms, ModelReference, Zernike
from holo_vae import ModelConfig, Recipe, TrainingConfig
from holo_vae.networks.storage import write_model
from holo_vae.recipes.model import Condition
from holo_vae.recipes.recipe import write_recipe

__all__ = ["MUTATED", "prepare"]

MUTATED = example_structures()[:3]
_BASIS = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=8.0), channels=("C", "N", "O", "S"))
_COMPLEXES = Path(__file__).resolve().parents[2] / "holo-features" / "tests" / "golden" / "complexes"


def prepare(inputs: Path) -> None:
    """Write all inputs into a folder."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, _BASIS.dim)).astype(np.float32)
    structures = {"structure": [f"{row // 10}abc" for row in range(len(rows))]}
    holo_types.save(Holograms(rows, _BASIS, structures), inputs / "rows.h5")
    residues = {
        **structures,
        "chain": ["A"] * len(rows),
        "residue_number": np.arange(len(rows)),
        "insertion_code": [""] * len(rows),
        "residue_name": ["ALA"] * len(rows),
    }
    frames, made_by = np.tile(np.eye(3), (len(rows), 1, 1)), ModelReference("attacked", "1", "", "")
    embeddings = Embeddings(
        rows[:, :8], frames, made_by, residues, centers=random.uniform(0, 20, (len(rows), 3))
    )
    holo_types.save(embeddings, inputs / "embeddings.h5")
    config = ModelConfig(basis=_BASIS, latent_dim=4, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    recipe = Recipe(model=config, training=TrainingConfig(epochs=6, batch_size=10, checkpoint_minutes=0.0))
    write_recipe(recipe, inputs / "recipe.yaml")
    write_model(holo_vae.initial_model(recipe, 1.0, "attacked"), inputs / "model")
    vectors = random.normal(size=(80, 3))
    names = [f"{number}abc" for number in range(len(vectors))]
    np.savez(inputs / "vectors.npz", id=np.array(names), vectors=vectors)
    labels = [f"{name},{5 + x},{name}" for name, x in zip(names, vectors[:, 0].tolist(), strict=True)]
    _write_csv(inputs / "labels.csv", ["id,label,cluster", *labels])
    _prepare_complexes(inputs / "complexes", inputs / "affinity")
    naming = attrs.evolve(config, heads=(Condition(column="residue_name", categories=STANDARD_AMINO_ACIDS),))
    filling = holo_vae.initial_model(attrs.evolve(recipe, model=naming), 1.0, "filling")
    write_model(filling, inputs / "filling")
    _prepare_mutations(inputs)
    holo_types.save(holo_vae.embed(MUTATED, inputs / "model"), inputs / "residues.h5")


def _write_csv(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _prepare_complexes(folder: Path, predictor: Path) -> None:
    """Write twelve complexes, which repeat three ligands of one protein, and a small predictor fitted to them."""
    folder.mkdir()
    blocks = (_COMPLEXES / "ligands.sdf").read_text("utf-8").split("$$$$\n")[:3]
    (folder / "ligands.sdf").write_text("".join(f"{block}$$$$\n" for block in blocks), encoding="utf-8")
    (folder / "thrombin.pdb").write_bytes((_COMPLEXES / "thrombin.pdb").read_bytes())
    names = [block.partition("\n")[0].strip() for block in blocks]
    rows = [
        f"c{number},thrombin.pdb,ligands.sdf,{names[number % 3]},{5 + number % 3 + 0.1 * number:.1f},{number // 2}"
        for number in range(12)
    ]
    _write_csv(folder / "labels.csv", ["id,protein,ligand,molecule,label,cluster", *rows])
    features = folder_features(find_bound(folder / "labels.csv"), DEFAULT_FEATURES).table
    small = Ensemble((HistogramBoosting(4, 4, 2, 0.1, 1.0, 1.0), SupportVectors(2.0, 0.1, 0.3, 0.01)))
    labels = read_labels(folder / "labels.csv").complexes
    fitted = cross_fit(features, labels, CrossFitSettings(small), blocks=DEFAULT_FEATURES)
    write_complex_predictor(fitted.predictor, predictor)


def _prepare_mutations(inputs: Path) -> None:
    """Write a table of mutations with random changes of stability, and a predictor fitted to it."""
    random, rows = np.random.default_rng(0), []
    for path in MUTATED:
        mutations = all_mutations(read_structure(path))
        for number in random.choice(len(mutations), 40, replace=False).tolist():
            one = mutations[number]
            place = f"{one.residue.residue_number}{one.residue.insertion_code}"
            cost = f"{random.normal() - 1:.2f}"
            cells = (path.name, one.residue.chain, place, one.wild_type or "", one.mutant, cost, path.name)
            rows.append(",".join(cells))
    _write_csv(inputs / "mutations.csv", ["file,chain,residue,wild_type,mutant,ddg,family", *rows])
    table, model = read_mutations(inputs / "mutations.csv", measured=True), holo_vae.load(inputs / "filling")
    described = describe_table(MUTATED[0].parent, table, model)
    study = learn(described, table, (str(inputs / "filling"), model.digest), folds=3)
    write_study(study, inputs / "stability")
