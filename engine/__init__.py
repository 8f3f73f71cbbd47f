"""The pure part of Rankfold: rules, marks, boards, periods, sort keys and the fold.

No I/O, no clock, no randomness, no environment, no logging: whatever is needed comes in as an argument, so that
live consumption, replay and the offline command give the same answer to the last bit.
"""
