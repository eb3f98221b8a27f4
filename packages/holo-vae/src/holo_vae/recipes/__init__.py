"""The description of a model and of its training, as frozen classes and as YAML.

Files and plain values enter; `Recipe` and its parts leave, validated.
"""
