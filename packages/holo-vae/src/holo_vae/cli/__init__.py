"""The command line, with one module for each group of commands.

Command lines enter; the results of the rooms below are printed, and leave as an exit status.
"""
