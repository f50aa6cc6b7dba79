"""The document of a gateway's own API: one for all routes, as callers see them, and a page for browsers that shows it.

exporting         a configuration -> the document, for everybody what it may use
path_items        which routes it shows, and at which path; visibility: what can be reached from where
operations        one operation, with what documents of services say about it
replies           what a service answers, in the envelope; possible_errors: the errors that a route can give
components        schemas of several documents beside one another
envelope_schemas  what all replies have in common: the envelope, its header fields, the codes of errors
page              the page, of the files in `page/`
"""
