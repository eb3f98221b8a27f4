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
text = """D10A 3.3 D10N .9 G23A .5 A24V .88 R41C .44 E48Q .2 A52F -.5 A52I 1.9 A52L 1.3 A52V 1.7 I53D -4.1 I53F -3.9
I53L -1.4 H62A .4 H62D -.17 H62P 1.1 H62R .36 S68A .19 S68G -2.2 S68L -1 S68T .1 S68V 1.29 D70N .9 V74I .45 V74L .19
G77A -.9 D94E -.4 K95A .1 K95G 1.9 K95N .9 Q105G -2.2 Q113P -.6 H114A -2.63 K117R .03 E119V .74 H124A .17 D134A 2.1
D134H 2.3 D134N 1"""
# In kcal/mol; mutations with negative values destabilize.
measured = dict(zip(text.split()[::2], map(float, text.split()[1::2]), strict=True))

# %%
# The score of a mutation is the difference of two log-probabilities. No measurement was used for training.

numbers = [int(name[1:-1]) for name in measured]
sites = filled.take(filled.surroundings.index["residue_number"].searchsorted(numbers))
wild_type, mutant = ([residue_name_of(name[end]) for name in measured] for end in (0, -1))
scores = sites.of(mutant) - sites.of(wild_type)
plt.figure("Scores and measured stability changes of 39 mutations of ribonuclease HI", figsize=(5, 4.5))
plt.axes(xlabel="log-probability, mutant − wild type (nats)", ylabel="change of stability (kcal/mol)")
plt.scatter(scores, measured.values())
print("Spearman:", round(float(spearmanr(scores, list(measured.values())).statistic), 2))

# %%
# This is a single protein, whose values are listed in ThermoMutDB; :doc:`/results/mutations` covers many.
