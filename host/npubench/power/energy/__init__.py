"""From samples and marks to energy with its uncertainty, or to a refusal: functions on arrays.

Opens no instrument and no file.
"""
