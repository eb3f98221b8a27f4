"""How a figure is measured: folds and splits that leak nothing, intervals, paired tests.

Vectors, labels and predictions enter; splits, scores and their intervals leave.
"""
