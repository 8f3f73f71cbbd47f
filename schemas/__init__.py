"""What crosses Rankfold's borders: events, rulesets, positions and errors.

Nothing here decides a score or touches a service; the layers to the right import it, it imports none of them.
"""
