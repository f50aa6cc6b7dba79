"""The document of a gateway's own API: one for all routes, as callers see them, and a page for browsers that shows it.

exporting         a configuration -> the document, for everybody what it may use
envelope_schemas  what all replies have in common: the envelope, its header fields, errors and their codes
page              the page, of the files in `page/`
"""
