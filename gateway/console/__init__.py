"""The operator's page on the admin listener, with its data and its actions.

The last hour and the last reloads are in history_views.py.
"""
