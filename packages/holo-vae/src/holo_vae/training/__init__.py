"""Training itself: steps and epochs, losses, schedules, checkpoints, many processes.

A network, `Rows` and a `Recipe` enter; trained weights and a record of each epoch leave.
"""
