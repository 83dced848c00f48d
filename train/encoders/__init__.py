"""The trainings of the encoders, named after the stage and the file of weights that each makes.

With what they alone need: augmentation, balance of corpora, windows of Whisper's input. No network that reads a clip:
those are in ``hff.encoders``, and no corpus: those are in ``train.corpora``.
"""
