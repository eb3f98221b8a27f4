"""
Rank mutations by stability
===========================

Which mutations does a protein tolerate? A model that fills in residues knows which amino acids fit each position, and
the difference of two log-probabilities ranks mutations. Predictions in kcal/mol need measurements, see
``holo mutations fit``.
"""

import matplotlib.pyplot as plt
from scipy.stats import spearmanr

from holo_features import read_structure, residue_name_of
from holo_features.datasets import example_structures
from holo_vae import fill_in, load

(path,) = [path for path in example_structures() if path.name.startswith("2rn2_A")]  # ribonuclease HI
filled = fill_in(read_structure(path), load("microenvironment-fill-z128"))
text = """D10A 3.3 D10N 0.9 G23A 0.5 A24V 0.88 R41C 0.44 E48Q 0.2 A52F -0.5 A52I 1.9 A52L 1.3 A52V 1.7 I53D -4.1 I53F
    -3.9 I53L -1.4 H62A 0.4 H62D -0.17 H62P 1.1 H62R 0.36 S68A 0.19 S68G -2.2 S68L -1 S68T 0.1 S68V 1.29 D70N 0.9
    V74I 0.45 V74L 0.19 G77A -0.9 D94E -0.4 K95A 0.1 K95G 1.9 K95N 0.9 Q105G -2.2 Q113P -0.6 H114A -2.63 K117R
    0.03 E119V 0.74 H124A 0.17 D134A 2.1 D134H 2.3 D134N 1"""
measured = dict(
    zip(text.split()[::2], map(float, text.split()[1::2]), strict=True)
)  # kcal/mol; negative destabilizes

# %%
# The probabilities have a row for each residue and a column for each amino acid. No measurement was used for training.

row = dict(zip(filled.surroundings.index["residue_number"].tolist(), filled.log_probabilities, strict=True))
column = {name: number for number, name in enumerate(filled.residue_names)}
scores = [
    float(
        row[int(name[1:-1])][column[residue_name_of(name[-1])]]
        - row[int(name[1:-1])][column[residue_name_of(name[0])]]
    )
    for name in measured
]
print("Spearman:", round(float(spearmanr(scores, list(measured.values())).statistic), 2))
plt.figure("Scores and measured stability changes of 39 mutations of ribonuclease HI", figsize=(5, 4.5))
plt.scatter(scores, measured.values())
plt.xlabel("log-probability, mutant − wild type (nats)")
plt.ylabel("measured change of stability (kcal/mol)")

# %%
# This is a single protein, whose values are listed in ThermoMutDB; :doc:`/results/mutations` covers many.
