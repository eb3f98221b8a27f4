"""The program ``holo``: the commands of all packages in groups, and those of holo-lab itself.

Arguments enter; files and an exit status leave. The modules that a command needs are imported when it runs, so that
``--help`` is quick.
"""
