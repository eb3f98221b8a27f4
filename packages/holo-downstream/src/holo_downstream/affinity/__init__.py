"""Binding affinities: labels, regressors, a study that chooses among them, and the resulting predictor.

Vectors and measured affinities enter; a `Study` and a `Predictor` leave.
"""
