"""The records of training runs in MLflow: settings, curves, pictures, models and their promotion.

Records of steps and epochs enter, and a journal keeps them; the content of the tracking server and the aliases of the
registry leave.
"""
