"""What a model is and how it is trained, as frozen classes and as YAML.

Files and plain values enter; `Recipe` and its parts leave, checked.
"""
