"""Float networks to int8: calibration samples, TensorFlow in its worker, agreement and accuracy.

Everything after it reads the .tflite that comes out; nothing here knows boards or backends.
"""
