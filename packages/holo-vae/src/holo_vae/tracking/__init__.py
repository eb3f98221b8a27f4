"""What a training run leaves behind in MLflow: settings, curves, pictures, models and their promotion.

Records of steps and epochs enter, and a journal keeps them; what the tracking server has and the registry's aliases
leave.
"""
