"""Encoders: pixels in, one feature vector out."""
