"""The command line: one module for the commands of a kind.

Command lines come in; what the rooms below do with them is said on the screen, and given as an exit status.
"""
