"""Files, arrays and devices become sound at 16 kHz and upright RGB pictures; a dialogue's file becomes turns.

Whatever opens a file or a device lives here, and nothing that knows a model: no import of detectors or encoders.
"""
