import json
import shutil
import subprocess
import sys

import attrs
import numpy as np
import pytest

import holo_types
from holo_downstream import example_series
from holo_downstream.affinity import regressors
from holo_downstream.affinity.study import run_study
from holo_downstream.affinity.study_files import new_study_folder
from holo_downstream.cli import affinity
from holo_downstream.cli.program import main
from holo_types import Embeddings, ModelReference


@pytest.fixture(autouse=True)
def small_forest(monkeypatch):
    monkeypatch.setitem(regressors.GRIDS, "forest", (regressors.Forest(0.333, 2, 10),))


@pytest.fixture
def pockets(tmp_path, monkeypatch):
    """Embeddings of 40 pockets whose sums determine the affinity, labels with their own units, and bad rows."""
    random = np.random.default_rng(0)
    sizes = random.integers(3, 9, size=40)
    names = [f"{number:02}ab" for number in range(40)]
    z = random.normal(size=(sizes.sum(), 4))
    structure = np.repeat(names, sizes)
    model = ModelReference("demo", "1", "a" * 64, "b" * 64)
    embeddings = Embeddings(z, np.zeros((len(z), 3, 3)), model, {"structure": structure})
    holo_types.save(embeddings, tmp_path / "pockets.h5")
    other = attrs.evolve(embeddings, model=attrs.evolve(model, digest="c" * 64))
    holo_types.save(other, tmp_path / "other.h5")
    lines = ["id,label,cluster,split,measurement,unit"]
    for number, name in enumerate(names):
        pk = 6 + 0.4 * z[structure == name].sum(axis=0)[0]
        split = "train" if number < 24 else "val" if number < 32 else "test"
        lines.append(
            f"{name},{float(10 ** (9 - pk))!r},{number // 2},{split},{'Ki' if number % 2 else 'Kd'},nM"
        )
    (tmp_path / "labels.csv").write_text("\n".join([*lines, ""]))
    bad = [
        *lines,
        "39ab,5,1,test,Ki,nM",
        "50ab,7,60,train,Ki,nM",
        "51ab,low,61,train,Ki,nM",
        "52ab,-7,61,val,dG,kJ/mol",
    ]
    (tmp_path / "bad.csv").write_text("\n".join([*bad, ""]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fit_predict_compare(pockets, capsys):
    fit = ["affinity", "study", "pockets.h5", "labels.csv", "--unit", "nM", "--seeds", "2"]
    assert main([*fit, "--regressor", "ridge", "--out", "ridge"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("ridge on 24 train, 8 val, 8 test: test RMSD 0.0")
    assert "the labels are of several kinds, which pK treats alike: 20 Kd, 20 Ki" in said.out
    assert "fitting: 2/2" in said.err
    report = json.loads((pockets / "ridge" / "report.json").read_text())
    assert report["test"]["complexes"] == 8
    assert main([*fit, "--regressor", "mean", "--out", "mean"]) == 0

    assert main(["affinity", "apply", "ridge", "pockets.h5", "--out", "new.csv"]) == 0
    assert "40 complexes predicted; intervals of ± 0.0" in capsys.readouterr().out
    fitted = (pockets / "ridge" / "predictions.csv").read_text().splitlines()[1].split(",")
    predicted = (pockets / "new.csv").read_text().splitlines()[1].split(",")
    assert predicted == [fitted[0], *fitted[4:7]]

    assert main(["affinity", "compare", "ridge", "mean", "--out", "table.md"]) == 0
    assert (pockets / "table.md").read_text() in capsys.readouterr().out + "\n"


def test_two_fits_do_not_share_a_folder(pockets, capsys):
    fit = ["affinity", "study", "pockets.h5", "labels.csv", "--unit", "nM", "--seeds", "1", "--out", "study"]
    with new_study_folder(pockets / "study"):
        assert main([*fit, "--regressor", "ridge"]) == 1
        assert "study: another run is alive and writes into it (process " in capsys.readouterr().err
    assert not (pockets / "study").exists()
    assert main(["affinity", "study", "pockets.h5", "absent.csv", "--out", "study"]) == 1
    assert not (pockets / "study").exists()  # what failed leaves no empty folder
    (pockets / "study" / "model").mkdir(parents=True)
    left = [pockets / "study" / folder / ".file.json.0123abcd.tmp" for folder in ("", "model")]
    for path in left:
        path.touch()
    assert main([*fit, "--regressor", "mean"]) == 0
    assert not any(path.exists() for path in left)


def test_a_study_folder_that_is_removed_meanwhile_does_not_come_back(pockets, monkeypatch, capsys):
    def fitted_while_the_folder_goes(*given, **named):
        shutil.rmtree(pockets / "study")
        return run_study(*given, **named)

    monkeypatch.setattr(affinity, "run_study", fitted_while_the_folder_goes)
    fit = ["affinity", "study", "pockets.h5", "labels.csv", "--unit", "nM", "--seeds", "1", "--out", "study"]
    assert main([*fit, "--regressor", "mean"]) == 1
    assert "study: was removed or replaced while this run wrote to it" in capsys.readouterr().err
    assert not (pockets / "study").exists()


def test_the_example_is_a_study(tmp_path, capsys):
    vectors, labels = map(str, example_series())
    argv = [
        "affinity",
        "study",
        vectors,
        labels,
        "--unit",
        "kcal/mol",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "p38"),
    ]
    assert main(argv) == 0
    assert capsys.readouterr().out.startswith("forest on 20 train, 7 val, 7 test: test RMSD ")


def test_rows_that_cannot_be_used_do_not_keep_others_from_being_used(pockets, capsys):
    argv = [
        "affinity",
        "study",
        "pockets.h5",
        "bad.csv",
        "--unit",
        "nM",
        "--regressor",
        "ridge",
        "--out",
        "study",
    ]
    assert main(argv) == 3
    said = capsys.readouterr().out
    assert "4 complexes were left out; skipped.csv says why" in said
    assert "ridge on 24 train, 8 val, 7 test" in said
    assert (pockets / "study" / "skipped.csv").read_text().splitlines() == [
        "file,residue,reason",
        "39ab,,its id comes 2 times; it must come once",
        "51ab,,its label is 'low'; it must be a number",
        '52ab,,"its label is in kJ/mol, the others are declared to be in nM"',
        "50ab,,it has no embedding",
    ]


def test_leaks_are_listed(pockets, capsys):
    text = (pockets / "labels.csv").read_text().replace(",18,test", ",2,test")
    (pockets / "leaking.csv").write_text(text.replace("nM", "pK").replace("unit", "other"))
    assert main(["affinity", "leaks", "leaking.csv", "--out", "leaks.csv"]) == 3
    said = capsys.readouterr().out
    assert said.startswith(
        "40 complexes have no ligand_key: whether they leak by it is unknown\n24 training and 16"
    )
    assert "2 held-out ones share a cluster with training, 0 a ligand" in said
    assert "36ab: cluster 2 is also that of 04ab, 05ab, learned from" in said
    assert (pockets / "leaks.csv").read_text().splitlines()[1] == "36ab,test,cluster,2,04ab 05ab"
    (pockets / "sound.csv").write_text((pockets / "labels.csv").read_text().replace("unit", "other"))
    assert main(["affinity", "leaks", "sound.csv"]) == 0


def test_ligands_and_what_stands_beside_come_from_other_files(pockets, capsys):
    names = [f"{number:02}ab" for number in range(40)]
    keys = ["C6-0" if name in ("03ab", "38ab") else f"C6-{name}" for name in names]
    rows = [f"{name},{key},{number % 7}" for number, (name, key) in enumerate(zip(names, keys, strict=True))]
    (pockets / "ligands.csv").write_text("\n".join(["id,ligand_key,heavy_atoms", *rows, ""]))
    options = ["--unit", "nM", "--regressor", "ridge", "--seeds", "1", "--ligands", "ligands.csv"]
    fit = ["affinity", "study", "pockets.h5", "labels.csv", *options, "--beside", "ligands.csv"]
    assert main([*fit, "--out", "study"]) == 0
    said = capsys.readouterr().out
    assert "1 held-out complexes share a ligand with training" in said
    assert "no ligand_key" not in said
    report = json.loads((pockets / "study" / "report.json").read_text())
    assert report["leaks"] == [{"id": "38ab", "by": "ligand", "value": "C6-0", "learned": ["03ab"]}]
    assert report["source"]["beside"][0]["columns"] == ["heavy_atoms"]
    assert main(["affinity", "apply", "study", "pockets.h5", "--out", "p.csv"]) == 1
    assert "0 tables are appended to the vectors" in capsys.readouterr().err
    predict = ["affinity", "apply", "study", "pockets.h5", "--beside", "ligands.csv", "--out", "p.csv"]
    assert main(predict) == 0
    (pockets / "pk.csv").write_text((pockets / "labels.csv").read_text().replace("nM", ""))
    assert main(["affinity", "leaks", "pk.csv", "--ligands", "ligands.csv"]) == 3
    assert "38ab: ligand C6-0 is also that of 03ab, learned from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["study", "pockets.h5", "absent.csv", "--out", "s"], 1, "absent.csv: cannot be read"),
        (["study", "absent.h5", "labels.csv", "--out", "s"], 1, "absent.h5"),
        (
            ["study", "pockets.h5", "labels.csv", "--out", "s"],
            1,
            "none of 40 labels can be used; 00ab: its label is in nM",
        ),
        (["study", "pockets.h5", "labels.csv", "--by", "complex", "--out", "s"], 1, "no column 'complex'"),
        (["study", "pockets.h5", "labels.csv", "--register", "x", "--out", "s"], 1, "--register needs"),
        (["study", "pockets.h5", "labels.csv", "--regressor", "magic", "--out", "s"], 2, "magic"),
        (["study", "pockets.h5", "labels.csv", "--unit", "stones", "--out", "s"], 2, "stones"),
        (["study", "pockets.h5"], 2, "LABELS"),
        (["apply", "absent", "pockets.h5", "--out", "p.csv"], 1, "absent: is not a predictor"),
        (["compare", "pockets.h5"], 1, "1 studies to compare"),
    ],
)
@pytest.mark.usefixtures("pockets")
def test_what_cannot_be_used_is_named(capsys, argv, status, message):
    assert main(["affinity", *argv]) == status
    streams = capsys.readouterr()
    assert message in streams.err
    assert "Traceback" not in streams.err
    assert streams.out == ""


@pytest.mark.usefixtures("pockets")
def test_other_embeddings_and_studies_that_exist_are_refused(capsys):
    fit = [
        "affinity",
        "study",
        "pockets.h5",
        "labels.csv",
        "--unit",
        "nM",
        "--regressor",
        "ridge",
        "--out",
        "study",
    ]
    assert main(fit) == 0
    assert main(["affinity", "apply", "study", "other.h5", "--out", "p.csv"]) == 1
    assert "the embeddings were made by demo 1 (cccccccccccc)" in capsys.readouterr().err
    assert main(fit) == 1
    assert "study holds a study; name another folder" in capsys.readouterr().err


def test_a_study_is_logged_and_its_predictor_served_without_pickle(pockets, monkeypatch, capsys):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{pockets / 'mlflow.db'}")
    fit = [
        "affinity",
        "study",
        "pockets.h5",
        "labels.csv",
        "--unit",
        "nM",
        "--regressor",
        "ridge",
        "--out",
        "study",
    ]
    try:
        assert main([*fit, "--mlflow-experiment", "affinity", "--register", "pocket-affinity"]) == 0
        assert "logged as models:/pocket-affinity/1" in capsys.readouterr().out
        (run,) = mlflow.search_runs(experiment_names=["affinity"], output_format="list")
        report = json.loads((pockets / "study" / "report.json").read_text())
        assert run.data.metrics["test_rmsd"] == report["test"]["rmsd"]["interval"]["estimate"]
        assert run.data.params["regressor"] == "ridge"
        served = mlflow.pyfunc.load_model("models:/pocket-affinity/1")
        assert served.metadata.metadata["model_digest"] == "a" * 64
        table = _pooled(pockets / "pockets.h5")
        predicted = served.predict(table, params={"model_digest": "a" * 64})
        main(["affinity", "apply", "study", "pockets.h5", "--out", "new.csv"])
        lines = (pockets / "new.csv").read_text().splitlines()[1:]
        np.testing.assert_allclose(
            predicted.to_numpy(), [[float(x) for x in line.split(",")[1:]] for line in lines]
        )
        with pytest.raises(Exception, match="model_digest is 'cccccccccccc'"):
            served.predict(table, params={"model_digest": "c" * 64})
        folder = mlflow.artifacts.download_artifacts("models:/pocket-affinity/1")
        names = [path.name for path in pockets.joinpath(folder).rglob("*") if path.is_file()]
        assert not [name for name in names if name.endswith((".pkl", ".pickle"))]
        assert "predictor.h5" in names
    finally:
        mlflow.set_tracking_uri(None)


def _pooled(path):
    import pandas as pd

    from holo_downstream import read_vectors

    vectors = read_vectors(path).vectors
    return pd.DataFrame(vectors, columns=[f"z_{column}" for column in range(vectors.shape[1])])


def test_help_waits_neither_for_scikit_learn_nor_mlflow():
    code = (
        "import sys, holo_downstream, holo_downstream.cli.program; "
        "print(sorted({'sklearn', 'torch', 'pandas', 'mlflow'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
