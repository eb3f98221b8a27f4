"""The effect of amino acid substitutions on stability, learned from features of sites and substitutions.

Tables of features with measured values enter; a predictor, its cross-validated predictions and its file leave.
"""
