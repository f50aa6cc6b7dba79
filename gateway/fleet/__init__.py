"""The gateways that share a Redis: how they know one another, and how one asks the others.

    record.py       what a gateway says of itself      registry.py     the records in Redis, which expire
    membership.py   keeps the record of this gateway fresh, and knows the others
    address.py      under which address the others can reach this one
    query.py        the part of a worker, which has the connection to Redis
    peers.py        asks others, only those that the registry names

Nobody elects or leads anybody: a record is a hint where to ask, and whoever is asked says its id.
"""
