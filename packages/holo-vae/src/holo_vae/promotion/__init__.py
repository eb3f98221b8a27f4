"""Which version of a registered model an alias points at: the gate that a version passes, the move, its history.

Names and versions in an MLflow registry enter, with data that a lab has fixed for it; moved aliases, and what was
measured, leave.
"""
