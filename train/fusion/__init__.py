"""The fusion's training: cached features, paired clips, losses, training and calibration.

The model itself is in ``hff.model``.
"""
