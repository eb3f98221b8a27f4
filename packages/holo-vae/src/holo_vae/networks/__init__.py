"""The networks, and models as their users see them: made, written, loaded and described.

Configurations, folders and registries enter; `Model` and `TrainedClassifier` leave. This room also computes how far
rows are from their reconstruction, which both embedding and evaluation need.
"""
