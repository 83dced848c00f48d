"""Why one modality says what it says: where on the face the network looked, and which words moved its answer.

Computed only when somebody asks, from raw material and a loaded analyzer. No drawing of it, and not what all
modalities together say and how much each counts: that is the model's own business.
"""
