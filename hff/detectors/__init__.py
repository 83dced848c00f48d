"""What is there to be read: where a voice is (vad), which words it says (asr), where faces are (faces).

Ready-made networks with their pretrained files. No emotion, no training.
"""
