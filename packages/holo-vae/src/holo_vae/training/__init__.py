"""Training: steps and epochs, losses, schedules, checkpoints, and many processes.

A network, `Rows` and a `Recipe` enter; trained weights and a record of each epoch leave.
"""
