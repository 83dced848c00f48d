"""The Model view: the drawing of the model, and the measured figures that lie beside the weights.

No figure is typed by hand.
"""
