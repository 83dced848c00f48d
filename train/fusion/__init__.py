"""The fusion's training: cached features, paired clips, losses, training and calibration.

No equation of the paper: those are in ``hff.model``. No figure that is shipped: ``train.evaluation`` measures.
"""
