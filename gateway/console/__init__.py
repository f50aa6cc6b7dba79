"""The operator's page on the admin listener, with its data and its actions.

    page.py             the files in static/, and the texts of the faults
    history_views.py    the last hour and the last reloads as JSON
    target_changes.py   ejects and returns targets

The page reads JSON of the admin listener and shows it as text. Nothing is inline, and nothing is kept in the browser.
"""
