"""The Model view: the drawing of the model, a walk through the numbers of one moment, and the measured figures.

No figure is typed by hand: they are a reading's, or lie beside the weights.
"""
