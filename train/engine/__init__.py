"""What every training shares: the loop, several processes, what a run leaves behind and is made from.

Knows no modality, corpus or loss.
"""
