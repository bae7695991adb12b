"""Recordings of people who do not exist: motion (body, actions, performer) apart from what a sensor
makes of it (sensor).

Nothing here knows a file format; data sets write what they need from the arrays.
"""
