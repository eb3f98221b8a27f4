"""The commands of holo-downstream, one module each.

scikit-learn, pandas and skops are imported by the commands when they run, so that ``--help`` is quick.
"""
