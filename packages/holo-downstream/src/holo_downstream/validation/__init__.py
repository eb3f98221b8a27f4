"""Evaluation of predictions: folds and splits without leaks, intervals, and paired tests.

Vectors, labels and predictions enter; splits, scores and their intervals leave.
"""
