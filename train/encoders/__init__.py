"""The trainings of the encoders, named after the stage and the file of weights that each makes.

The networks themselves are in ``hff.encoders``.
"""
