"""Binding affinities: labels, regressors, a study that chooses among them, and the predictor that it gives.

Vectors and measured affinities enter; a `Study` and a `Predictor` leave.
"""
