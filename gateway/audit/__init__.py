"""The audit trail: one record for each change that somebody makes to a gateway or to a key, by whatever way.

    records.py         what a record says, and its bounds: it never has a secret
    actors.py          who makes a change, and from where
    query.py           which records somebody asks for
    trail.py           AuditTrail: writes a line in the log, and keeps the last records in memory
    redis_stream.py    the records of all gateways, in Redis
    shared_trail.py    brings the records of this gateway to Redis, and reads those of all

Whoever makes a change calls `AuditTrail.record(AuditEntry(...))`, which takes no time and cannot fail. Changes of keys
in Redis are recorded in the transaction that makes them.
"""
