"""The console script, run in separate processes."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import holo_types
from holo_features.cli.program import main
from holo_features.datasets import example_structures
from holo_features.encoding.files import FileRows, write_rows
from holo_types import HoloError
from holo_types.console import Skipped
from holo_types.files.locks import PathLock

SMALL = ("--lmax", "2", "--nmax", "4")
# The console script itself, so that its entry point is tested too.
SCRIPT = shutil.which("holo-features", path=str(Path(sys.executable).parent)) or "holo-features"


def run(*arguments, check=None):
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False
    )
    assert "Traceback" not in done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def skipped_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_encodes_files_and_folders(tmp_path):
    folder = tmp_path / "structures"
    folder.mkdir()
    for path in example_structures()[:3]:
        shutil.copy(path, folder)
    (folder / "notes.txt").write_text("not a structure, and not looked at")
    out = tmp_path / "out.h5"
    done = run("structures", folder, example_structures()[4], "--out", out, "--secondary-structure", check=0)
    holograms = holo_types.load(out)
    assert holograms.basis == holo_types.Basis(6, holo_types.Zernike(20, 10.0), ("C", "N", "O", "S"))
    names = [example_structures()[i].name.partition(".")[0] for i in (0, 1, 2, 4)]
    assert list(dict.fromkeys(holograms.index["structure"].tolist())) == names
    assert set(holograms.index["secondary_structure"].tolist()) == {"helix", "sheet", "coil"}
    assert done.stdout.count("\n") == 1
    assert f"{len(holograms)} holograms in {out}; 4 of 4 files gave results" in done.stdout
    assert "encoding structures: 4/4" in done.stderr
    assert skipped_rows(tmp_path / "out.skipped.csv") == []


def test_a_second_run_of_one_output_is_refused_and_changes_nothing(tmp_path):
    out, table = tmp_path / "out.h5", tmp_path / "out.skipped.csv"
    with holo_types.Writer(out):
        table.write_text("file,residue,reason\n1abc.pdb,,of the run that is alive\n")
        for options in ((), ("--resume",)):
            done = run("structures", example_structures()[0], "--out", out, *options, *SMALL, check=1)
            assert done.stderr.startswith(
                f"Error: {out}: another run is alive and writes it (process {os.getpid()} "
            )
            assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [table]
    assert len(skipped_rows(table)) == 1


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_a_table_that_is_a_link_is_not_written(tmp_path, options):
    mine = tmp_path / "mine.csv"
    mine.write_text("mine\n")
    (tmp_path / "out.skipped.csv").symlink_to(mine)
    done = run("structures", example_structures()[0], "--out", tmp_path / "out.h5", *options, *SMALL, check=1)
    assert "out.skipped.csv is a link" in done.stderr
    assert done.stderr.count("\n") == 1
    assert mine.read_text() == "mine\n"


def test_runs_of_two_outputs_with_one_table_do_not_mix_it(tmp_path):
    with PathLock(tmp_path / "out.skipped.csv"):
        done = run("structures", example_structures()[0], "--out", tmp_path / "out.h5", *SMALL, check=1)
    assert "out.skipped.csv: another run is alive" in done.stderr
    assert not list(tmp_path.iterdir())


def written_while(out, happens, files=("1abc.pdb", "2xyz.pdb")):
    """Write rows of two files, between which something happens."""
    basis = holo_types.Basis(0, holo_types.Zernike(0, 10.0), ("C",))

    def encode(_):
        for name in files:
            rows = holo_types.Holograms(np.ones((1, 1)), basis, {"structure": [name[:4]]})
            yield FileRows(Path(name), rows, (Skipped(name, "A 7 GLY", "it has no atom CA"),), 1)
            happens()

    paths = {Path(name): name[:4] for name in files}
    return write_rows(encode, paths, out, doing="encoding", what="hologram", settings={}, resume=False)


needs_posix = pytest.mark.skipif(os.name != "posix", reason="does not remove a file that is open")


@needs_posix
def test_a_table_of_what_was_skipped_that_is_removed_during_the_run_is_written_again(tmp_path):
    table = tmp_path / "out.skipped.csv"
    written_while(tmp_path / "whole.h5", lambda: None)
    report = written_while(tmp_path / "out.h5", lambda: table.unlink(missing_ok=True))
    assert report.table == table
    assert table.read_bytes() == (tmp_path / "whole.skipped.csv").read_bytes()
    assert len(skipped_rows(table)) == 2


@needs_posix
def test_a_file_that_takes_the_place_of_the_table_is_kept(tmp_path):
    table = tmp_path / "out.skipped.csv"
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(HoloError, match=r"out\.skipped\.csv: was replaced by another file during the run"):
        written_while(
            tmp_path / "out.h5", lambda: shutil.copy(tmp_path / "mine", tmp_path / "copy").replace(table)
        )
    assert table.read_text() == "mine"
    assert len(holo_types.load(tmp_path / "out.h5")) == 2


def test_options_make_the_basis(tmp_path):
    out = tmp_path / "out.h5"
    options = ("--lmax", 1, "--nmax", 3, "--cutoff", 7.5, "--channels", "C", "SE")
    run("structures", example_structures()[0], "--out", out, *options, check=0)
    assert holo_types.load(out).basis == holo_types.Basis(1, holo_types.Zernike(3, 7.5), ("C", "SE"))


def test_status_3_and_a_row_for_everything_skipped(tmp_path, write_pdb, residue, atom):
    bad = write_pdb("nothing", name="bad.pdb")
    partial = write_pdb(
        *residue(), atom("XD1", (1.0, 1.0, 1.0), element="X"), *residue(number=2, names=("N", "C"), shift=4.0)
    )
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out.h5"
    done = run("structures", bad, partial, tmp_path / "empty", "--out", out, *SMALL, check=3)
    assert "1 of 3 files gave results, 2 failed; 1 residue was skipped" in done.stdout
    assert f"{bad}: it holds no ATOM record" in done.stderr
    assert len(holo_types.load(out)) == 1
    rows = {
        (Path(row["file"]).name, row["residue"]): row["reason"]
        for row in skipped_rows(tmp_path / "out.skipped.csv")
    }
    assert rows.keys() == {("bad.pdb", ""), ("empty", ""), ("made.pdb", "A 1 ALA"), ("made.pdb", "A 2 ALA")}
    assert rows["made.pdb", "A 2 ALA"] == "it has no atom CA"
    assert "element 'X' is unknown" in rows["made.pdb", "A 1 ALA"]
    assert "no structure file" in rows["empty", ""]


def test_status_1_when_nothing_useful_came_out(tmp_path):
    out = tmp_path / "out.h5"
    done = run("structures", tmp_path / "missing.pdb", "--out", out, check=1)
    assert f"{tmp_path / 'missing.pdb'} does not exist" in done.stderr
    assert "No hologram was made" in done.stdout
    assert not out.exists()


def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    done = run("structures", example_structures()[0], "--out", tmp_path / "no" / "out.h5", check=2)
    assert f"there is no folder {tmp_path / 'no'}" in done.stderr
    assert "encoding" not in done.stderr
    done = run("structures", example_structures()[0], "--out", tmp_path / "out.parquet", check=2)
    assert "holograms are written as HDF5; the name must end in .h5" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told_so(tmp_path):
    done = run("structures", tmp_path / "nosuch", "--out", tmp_path / "out.h5", check=1)
    assert f"{tmp_path / 'nosuch'} does not exist" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("structures", "--out", "x.h5"), "INPUTS"),
        (("structures", "a.pdb", "--out", "x.h5", "--lmax", "-1"), "--lmax"),
        (("structures", "a.pdb", "--out", "x.h5", "--cutoff", "0"), "--cutoff"),
        (("structures", "a.pdb", "--out", "x.h5", "--cutoff", "ten"), "--cutoff"),
        (("residues", "a.pdb", "--out", "x.h5", "--cutoff", "1e-300"), "--cutoff. Must be >= 0.1"),
        (("structures", "a.pdb", "--out", "x.h5", "--envelope", "1e-300"), "--envelope. Must be >= 0.1"),
        (
            ("shapes", "meshes", "--out", "x.h5", "--bandwidth", "1" + "0" * 20),
            "--bandwidth. Must be <= 1000",
        ),
        (("images", "mnist", "--out", "x.h5", "--bandwidth", "1001"), "--bandwidth. Must be <= 1000"),
        (("structures", "a.pdb", "--out", "x.h5", "--lmax", "8", "--nmax", "4"), "at least lmax, 8"),
        (("structures", "a.pdb", "--out", "x.h5", "--channels", "C", "C"), "each once"),
        (("structures", "a.pdb", "--out", "x.h5", "--color", "red"), "--color"),
        (("structures", "a.pdb", "--out", "x.h5", "--workers", "0"), "--workers"),
        (("nonsense",), "nonsense"),
    ],
)
def test_status_2_for_wrong_usage(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_script_ends_with_the_status_and_the_line():
    assert "--out" in run("structures", "a.pdb", check=2).stderr


def test_help_shows_units_and_defaults():
    text = " ".join(run("structures", "--help", check=0).stdout.replace("│", " ").split())
    for words in (
        "in Å. [default: 10.0]",
        "[default: 6]",
        "[default: 20]",
        "[default: C N O S]",
        "Exit status: 0",
    ):
        assert words in text


def test_resume_goes_on_where_a_killed_run_stopped(tmp_path, write_pdb, residue):
    partial = write_pdb(*residue(), *residue(number=2, names=("N", "C"), shift=4.0), name="0first.pdb")
    inputs = [partial, *example_structures()[:20]]
    whole, out = tmp_path / "whole.h5", tmp_path / "out.h5"
    run("structures", *inputs, "--out", whole, check=0)
    process = subprocess.Popen(
        [SCRIPT, "structures", *map(str, inputs), "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    limit = time.monotonic() + 300
    while not out.exists() and time.monotonic() < limit:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    with holo_types.open(out) as reader:
        assert len(reader) > 0
    run("structures", *inputs, "--out", out, "--resume", check=0)
    assert holo_types.load(out) == holo_types.load(whole)
    expected = skipped_rows(tmp_path / "whole.skipped.csv")
    assert len(expected) == 1
    assert skipped_rows(tmp_path / "out.skipped.csv") == expected
    # Once more, and nothing is encoded again or doubled.
    run("structures", *inputs, "--out", out, "--resume", check=0)
    assert holo_types.load(out) == holo_types.load(whole)
    assert skipped_rows(tmp_path / "out.skipped.csv") == expected


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (("--lmax", "1", "--nmax", "4"), "lmax"),
        ((*SMALL, "--secondary-structure"), "secondary_structure"),
    ],
)
def test_resume_refuses_other_options(tmp_path, other, name):
    out = tmp_path / "out.h5"
    run("structures", example_structures()[0], "--out", out, *SMALL, check=0)
    done = run("structures", example_structures()[0], "--out", out, "--resume", *other, check=1)
    assert f"{out}: was made with other options: {name} was " in done.stderr


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        # What takes long to import is what makes a command line slow, whatever the machine.
        ("import holo_features", ("biotite", "h5py", "numpy", "scipy", "torch")),
        (
            "from holo_features.cli.program import main; main(['--help'])",
            ("biotite", "h5py", "numpy", "scipy"),
        ),
        (
            "from holo_features.cli.program import main; main(['structures', '--help'])",
            ("biotite", "h5py", "numpy", "scipy"),
        ),
        ("import holo_features.encoding.structures", ("distributed", "matplotlib", "networkx", "torch")),
    ],
)
def test_imports_are_light(code, absent):
    report = f"import sys; print([module for module in {absent} if module in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_odd_names_cost_no_other_file(tmp_path):
    odd = tmp_path / os.fsdecode(b"odd\xff.pdb")
    odd.write_text("no structure\n")
    inputs = (odd, tmp_path / ("long" * 100 + ".pdb"), example_structures()[0])
    done = run("structures", *inputs, "--out", tmp_path / "out.h5", *SMALL, check=3)
    assert "1 of 3 files gave results, 2 failed" in done.stdout
    assert len(skipped_rows(tmp_path / "out.skipped.csv")) == 2


def test_resume_names_a_damaged_table(tmp_path):
    arguments = ("structures", example_structures()[0], "--out", tmp_path / "out.h5", *SMALL)
    run(*arguments, check=0)
    (tmp_path / "out.skipped.csv").write_bytes(b"\xff,other\n1,2,3,4\n")
    assert "out.skipped.csv: is not a table" in run(*arguments, "--resume", check=1).stderr
