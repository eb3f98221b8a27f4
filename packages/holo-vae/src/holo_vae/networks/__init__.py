"""The networks, and models as their users have them: made, written, loaded, described.

Configurations, folders and registries enter; `Model` and `TrainedClassifier` leave.
"""
