"""From one modality's raw material to features: MFCC and a CNN, Whisper, BERT, ResNet.

One network a module, and what has to be done to its input. No training, and no finding of voices, words and faces:
that is the detectors' business; how features lie on the time grid, the pipeline's.
"""
