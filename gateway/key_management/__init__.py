"""Changes of the keys in Redis, as commands and the admin listener make them by the same rules.

    registry_access.py    the keys of a configuration, and the errors on the way to them
    secret.py             new secrets
    edits.py              each change, as one transaction that is recorded in the audit trail
    fields.py             the fields of a key: checked with all problems at once, added to and taken from
    differences.py        what a change means, in the words of `gateway diff`
    description.py        a key as people and programs see it

Everything here blocks while Redis is asked.
"""
