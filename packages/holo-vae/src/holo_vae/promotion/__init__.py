"""The version of a registered model that an alias points at: the gate for versions, the move, and the history.

Names and versions in an MLflow registry enter, with data that a lab has set aside for the gate; moved aliases and the
measured figures leave.
"""
