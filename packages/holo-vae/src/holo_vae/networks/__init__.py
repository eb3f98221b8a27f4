"""The networks, and models as their users have them: made, written, loaded, described.

Configurations, folders and registries enter; `Model` and `TrainedClassifier` leave. Here too is how far rows are from
their reconstruction, which embedding and evaluation both ask.
"""
