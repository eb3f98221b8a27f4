"""The commands of holo-downstream, with one module for each.

scikit-learn and pandas are imported by the commands when they run, so that ``--help`` is quick.
"""
