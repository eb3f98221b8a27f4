"""What exchanges of amino acids cost in stability: learned from numbers of sites and substitutions, and predicted.

Tables of numbers with measured values enter; a predictor, its cross-validated predictions and its file leave.
"""
