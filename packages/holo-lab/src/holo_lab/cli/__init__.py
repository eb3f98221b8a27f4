"""The program ``holo``: the commands of all packages in groups, and the bench's own.

Arguments enter; files and an exit status leave. What a command needs is imported when it runs, so that ``--help``
is quick.
"""
